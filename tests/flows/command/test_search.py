"""`docs-mlm search`: what a person and a program see, and one line for what cannot be searched."""

import json

import pytest
from rich.text import Text

from flows.command.searching import with_words
from tasks.store.folders import Store
from tests.tasks.index_documents.published import COMMIT, SOURCE, publish, snapshot
from tests.tasks.retrieval.models import save_tiny_retriever

ROTATE = f"https://github.com/owner/docs/blob/{COMMIT}/docs/keys.md?plain=1#L10"


@pytest.fixture
def store(tmp_path):
    """An empty store."""
    return Store(str(tmp_path / "store"))


@pytest.fixture
def search(command, store):
    """Search in the store: the exit code, and what was printed on both streams."""
    return lambda *words: command("search", *words, "--store", store.url)


def test_a_person_sees_rank_place_sentence_and_link(search, store):
    """And how it was searched; making the index is told once, on standard error."""
    publish(store, best="bm25")
    code, out, err = search("how do I rotate a key", "--top-k", "1")
    assert (code, err) == (0, f"Indexing 3 passages of {SOURCE}, once ...\n")
    assert out.splitlines() == [
        "By words (BM25): the probe found it best here",
        "",
        "1  docs/keys.md › Rotate a key",
        "   To rotate a key, see it.",
        f"   {ROTATE}",
    ]
    code, out, err = search("unheard")
    assert (code, err) == (0, "")
    assert out.endswith(f"Nothing in {SOURCE} has one of these words.\n")


def test_a_program_gets_a_list(search, store):
    """Of the five values of each hit, best first, and nothing else on standard output."""
    publish(store)
    code, out, _ = search("rotate a key", "--json")
    assert code == 0
    hits = json.loads(out)
    assert hits[0] == {
        "path": "docs/keys.md", "heading": "Rotate a key", "text": "To rotate a key, see it.", "url": ROTATE,
        "score": hits[0]["score"],
    }  # fmt: skip
    assert hits[0]["score"] > hits[1]["score"] > 0
    assert search("unheard", "--json")[1] == "[]\n"


def test_documents_of_a_folder_have_no_link(search, store):
    """Their path is shown all the same."""
    publish(store, documents=snapshot(store, {"a.md": "no"}, source="notes"))
    assert json.loads(search("rotate", "--json")[1])[0]["url"] is None
    assert search("rotate", "--mode", "bm25")[1].splitlines() == [
        "1  docs/keys.md › Rotate a key", "   To rotate a key, see it.",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("best", "said"),
    [
        ("hybrid", "By words and by meaning (hybrid): the probe found it best here"),
        ("retrieval", "By meaning (the model's vectors): the probe found it best here"),
        (None, "By words and by meaning (hybrid): no probe has measured what is best here"),
    ],
)
def test_what_auto_chooses_is_said(search, store, tmp_path, best, said):
    """And what is chosen by hand need not be."""
    publish(store, retriever=save_tiny_retriever(tmp_path), best=best)
    assert search("key")[1].splitlines()[0] == said
    assert search("key", "--mode", "dense")[1].splitlines()[0].startswith("1  ")


def test_a_model_is_named_as_predict_takes_it(search, store):
    """By its version, its URI or its line; none for the newest."""
    old = publish(store, key="1" * 32, version="20250101-000000-11111111", is_old=True)
    new = publish(store)
    for name in (new.record["version"], new.record["uri"]):
        assert search("rotate", "--model", name)[0] == 0
    code, _, err = search("rotate", "--model", old.record["version"])
    assert (code, "run docs-mlm run again" in err) == (2, True)
    code, _, err = search("rotate", "--model", "unheard")
    assert (code, "docs-mlm models" in err) == (2, True)
    code, _, err = search("rotate", "--model", ".")
    assert (code, "is a folder" in err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["rotate"], "no model is published in"),
        ([" \n"], "the query is empty"),
        (["rotate", "--top-k", "0"], "'0' is not a whole number above 0"),
        (["rotate", "--mode", "magic"], "invalid choice: 'magic'"),
    ],
)
def test_what_cannot_be_searched_gets_one_line(search, store, arguments, expected):
    """And the exit code of a user's mistake."""
    code, out, err = search(*arguments)
    assert (code, out) == (2, "")
    assert expected in err.splitlines()[0]
    assert len(err.splitlines()) <= 2


def test_no_vectors_and_no_store_get_one_line(search, command, store, tmp_path):
    """Each with the way out."""
    publish(store)
    search("rotate")
    code, out, err = search("rotate", "--mode", "dense")
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert "needs vectors" in err
    (tmp_path / "file").write_text("")
    code, out, err = command("search", "rotate", "--store", tmp_path / "file" / "store")
    assert (code, out, len(err.splitlines())) == (2, "", 1)


def test_the_querys_words_are_bold():
    """Whole words, in whatever letters; stop words are not."""
    text = with_words("To Rotate a key,\nsee keys (KEY).", "how to rotate the key")
    assert text.plain == "To Rotate a key, see keys (KEY)."
    assert [text.plain[span.start : span.end] for span in text.spans] == ["Rotate", "key", "KEY"]
    assert with_words("[bold]x[/bold]", "[/x]") == Text("[bold]x[/bold]")
