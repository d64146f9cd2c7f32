"""Pairs are what the documents say: each query leads to the passages that answer it, once."""

import tempfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.pair_documents.settings import KINDS
from tests.tasks.pair_documents.corpora import Mined, corpus, mined

PAGES = {
    "docs/keys.md": "---\ntitle: Manage the keys\ndescription: How keys are made and changed.\n---\n"
    "Keys are made here. See [store a lease](lease.md#store) and [all leases](/lease).\n\n"
    "## Rotate a key\n\nA key is rotated at night.\n\n## See also\n\n[here](lease.md), [lease](lease.md)\n",
    "docs/lease.md": "# Leases\n\nA lease is held.\n\n## Store\n\nIt is stored.\n\n## Rotate a key!\n\n"
    "With a lease.\n\n### Empty part\n\n## Last part\n\n[manage the keys](keys.md) and "
    "[a site](https://x.org), [no such](none.md), [no section](keys.md#none), [write to us](mailto:a@b), "
    "[Empty part](#empty-part)\n",
}  # fmt: skip


@pytest.fixture
def pages(tmp_path: Path) -> Mined:
    """What is mined of `PAGES`."""
    return mined(corpus(tmp_path, PAGES, set()))


def test_each_kind_leads_to_its_passages(pages: Mined) -> None:
    """Titles and descriptions to the first passages, headings and links to their sections; equal queries to
    all of theirs."""
    first = "Keys are made here. See store a lease and all leases."
    assert pages.asked() == {
        "Manage the keys": [first],
        "How keys are made and changed.": [first],
        "Rotate a key": ["A key is rotated at night.", "With a lease."],
        "Leases": ["A lease is held."],
        "Store": ["It is stored."],
        "Last part": ["manage the keys and a site, no such, no section, write to us, Empty part"],
        "store a lease": ["It is stored."],
        "all leases": ["A lease is held."],
    }
    kinds = {pair["query"]: pair["kind"] for pair in pages.pairs}
    assert kinds["Manage the keys"] == kinds["Leases"] == "title"
    assert kinds["store a lease"] == kinds["all leases"] == "anchor"
    assert kinds["Rotate a key"] == "heading"
    assert {pair["path"] for pair in pages.pairs if pair["query"] == "all leases"} == {"docs/lease.md"}


def test_whatever_is_dropped_is_counted(pages: Mined) -> None:
    """By its reason, and all that was mined is kept or dropped."""
    assert pages.counts.dropped_by_reason == {
        "absolute_address": 1,
        "generic": 1,
        "merged": 4,
        "no_document": 1,
        "no_section": 1,
        "no_text": 2,
        "one_word_anchor": 1,
        "other_address": 1,
        "pointing_anchor": 1,
    }
    assert pages.counts.mined == pages.counts.kept + sum(pages.counts.dropped_by_reason.values())
    assert pages.counts.by_kind == {"title": 2, "anchor": 2, "heading": 3, "description": 1}
    assert pages.counts.by_split == {"train": 8}


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_are_chosen(tmp_path: Path, kind: str) -> None:
    """What is not asked for is not mined."""
    found = mined(corpus(tmp_path, PAGES, set()), kinds=[kind])
    assert set(found.counts.by_kind) == {kind}


def test_queries_of_many_targets_are_dropped(tmp_path: Path) -> None:
    """Headings in more documents than that, and links that lead to more sections."""
    documents = {f"{n}.md": f"# Page {n}\n\nText {n}.\n\n## Same part\n\nWords {n}.\n" for n in range(4)}
    documents["links.md"] = "# Links of it\n\n" + " ".join(f"[all of it]({n}.md)" for n in range(4))
    found = mined(corpus(tmp_path, documents, set()))
    assert "Same part" not in found.asked()
    assert found.counts.dropped_by_reason["common_heading"] == 4
    assert found.counts.dropped_by_reason["too_many_targets"] == 4
    found = mined(corpus(tmp_path, documents, set()), max_targets=4)
    assert found.asked()["Same part"] == [f"Words {n}." for n in range(4)]
    assert len(found.asked()["all of it"]) == 4


def test_a_corpus_without_pairs_is_no_error(tmp_path: Path) -> None:
    """Documents of words alone have passages, and nobody asks for them."""
    found = mined(corpus(tmp_path, {"a.md": "Words alone.", "b.md": "Other words."}, set()))
    assert (found.counts.mined, found.counts.kept, found.counts.passages) == (0, 0, 2)
    assert found.pairs == []


def test_long_sections_are_several_passages(tmp_path: Path) -> None:
    """All of them answer the heading, the first ones the title."""
    sentences = " ".join(f"This is sentence number {n} of the page." for n in range(40))
    found = mined(
        corpus(tmp_path, {"a.md": f"---\ntitle: The page\n---\n# A heading\n\n{sentences}"}, set()),
        passage_characters=200,
    )
    asked = found.asked()
    assert all(len(passage["text"]) <= 200 for passage in found.passages)
    assert " ".join(asked["A heading"]) == sentences
    assert asked["The page"] == asked["A heading"][:3]


LINES = st.lists(
    st.sampled_from(
        ["# A title", "## Rotate a key", "## Store it", "Some words. Others!", "[a key](b.md#rotate-a-key)",
         "[the page](c.md)", "[the page](a.md#store-it)", "```\ncode\n```", "- [of a list](b.md)"]
    ),
    max_size=7,
)  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(st.lists(LINES, min_size=1, max_size=4), st.sets(st.sampled_from(["a.md", "b.md", "c.md"])))
def test_passages_exist_and_lie_in_their_document(pages: list[list[str]], held_out: set[str]) -> None:
    """Every pair's passages are there, on its side, and are the words of their document."""
    documents = {f"{'abcd'[n]}.md": "\n\n".join(lines) for n, lines in enumerate(pages)}
    with tempfile.TemporaryDirectory() as folder:
        file = corpus(Path(folder), documents, held_out)
        found = mined(file)
        texts = {row["path"]: row["text"] for row in pq.read_table(file).to_pylist()}
    assert [passage["passage"] for passage in found.passages] == list(range(found.counts.passages))
    for passage in found.passages:
        assert texts[passage["path"]][passage["start"] : passage["end"]] == passage["text"]
        assert (passage["split"] == "eval") == (passage["path"] in held_out)
    assert len({pair["query"].casefold() for pair in found.pairs}) == len(found.pairs)
    for pair in found.pairs:
        answers = [found.passages[number] for number in pair["passages"]]
        assert answers
        assert sorted(set(pair["passages"])) == pair["passages"]
        assert {answer["split"] for answer in answers} == {pair["split"]}
        assert pair["path"] in {answer["path"] for answer in answers}
    assert found.counts.mined == found.counts.kept + sum(found.counts.dropped_by_reason.values())
