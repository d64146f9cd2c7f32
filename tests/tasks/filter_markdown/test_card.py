"""The corpus card: what became of the documents, from the store's own list."""

import re
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pyromark
import pytest

from tasks.errors import IntegrityError
from tasks.filter_markdown.card import corpus_card
from tasks.filter_markdown.look import Look, Sample
from tasks.records import Corpus
from tasks.stage.target import Target
from tasks.store.folders import Store
from tasks.store.manifest import Manifest


@pytest.fixture
def corpus(tmp_path):
    """A stored corpus of which eight documents were dropped, and its step."""
    store = Store(str(tmp_path / "store"))
    rows = [{"path": f"docs/{n}|`.md", "blob_sha": "0", "reason": "too_short"} for n in range(7)]
    rows.append({"path": "a.md", "blob_sha": "0", "reason": "not_utf8"})
    (tmp_path / "folder").mkdir()
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "folder" / "dropped.parquet")
    counts = {"too_short": 7, "not_utf8": 1}
    made = Corpus(
        uri=store.uri("corpus", "k"), key="k", found=20, kept=12, dropped_by_reason=counts, characters=5000,
        eval_documents=2,
    )  # fmt: skip
    store.commit(tmp_path / "folder", made.uri, Manifest(stage="corpus", key="k", record=made.as_json()))
    step = Target(
        stage="corpus",
        key="k",
        uri=made.uri,
        action="run",
        why="",
        store_url=store.url,
        work_dir=str(tmp_path),
    )
    return step, made


def test_the_corpus_card_accounts_for_all_and_shows_some(corpus):
    """Counts by reason, the most frequent first, five paths of each reason, and how many more there are."""
    card = corpus_card(*corpus)
    assert card.index("dropped: too short | 7 (35.0%)") < card.index("dropped: not utf8 | 1 (5.0%)")
    assert "| kept | 12 (60.0%) |" in card
    assert card.count("- `docs/") == 5
    assert "… and 2 more" in card
    assert "- `a.md`" in card
    assert "`docs/0|'.md`" in card, "a path's own backtick does not end the code"


def test_the_corpus_card_lives_without_the_folder(corpus):
    """A corpus that is not in the store any more is still counted."""
    step, made = corpus
    step.store.remove(step.uri)
    card = corpus_card(step, made)
    assert "| found | 20 |" in card
    assert "Dropped as" not in card


def test_a_card_is_made_of_bytes_that_hash(corpus):
    """A stored list of dropped documents that was damaged is refused, not shown."""
    step, made = corpus
    stored = Path(made.uri.removeprefix("file://")) / "dropped.parquet"
    stored.write_bytes(stored.read_bytes()[:-9] + b"damaged!!")
    with pytest.raises(IntegrityError, match=r"dropped\.parquet differs from its manifest"):
        corpus_card(step, made)


HOSTILE = "| `a` | <script>alert(1)</script> \x1b[2J\u202e [x](javascript:x) | ```"
RICH = {
    "languages": {"en": 9, "de": 2, "und": 1}, "near_groups": 3, "near_documents": 8, "largest_group": 7,
    "boilerplate_lines": 4, "boilerplate_characters": 1_234, "dropped_by_reason": {}, "found": 12,
}  # fmt: skip


LONG = "A sentence that goes on. " * 20


@pytest.fixture
def rich(corpus, tmp_path):
    """A stored corpus with much to see, whose texts try to be more than texts; made of a known snapshot."""
    step, made = corpus
    step.store.remove(step.uri)
    (tmp_path / "rich").mkdir()
    Look(
        samples=[
            Sample(
                path="a.md",
                raw=f"---\nt: 1\n---\n# Title\n\n{HOSTILE}\n",
                cleaned=f"Title\n\n{HOSTILE}\n{LONG}",
            )
        ],
        residue={":::": {"marks": 12, "documents": 5}},
        groups=[{"documents": 4, "paths": ["v1/a.md", HOSTILE]}],
        boilerplate={f"Rate this page {HOSTILE}": 6},
    ).write(tmp_path / "rich")
    made = replace(made, **RICH)
    snapshot = {"unread": {".mdx": 2_569}, "submodules": 2}
    manifest = Manifest(stage="corpus", key="k", record=made.as_json(), ancestors={"documents": snapshot})
    step.store.commit(tmp_path / "rich", made.uri, manifest)
    return replace(step, settings={"eval_fraction": 0.1}), made


def test_the_corpus_card_shows_what_is_in_the_corpus(rich):
    """Languages, near copies, what was not read, marks that are left, lines taken out, and a document."""
    card = corpus_card(*rich)
    for part in (
        "| by language | en 9, de 2, und 1 |", "8 in 3 groups", "2,569 .mdx files: --source.include",
        "2 submodules: give each as a source", "4 lines, 1,234 characters", "| `:::` | 12 | 5 |",
        "- 4: `v1/a.md`",
        r"| \# Title | Title |", "the largest group of near copies has 7 of 12 documents",
    ):  # fmt: skip
        assert part in card, part


def test_nothing_of_a_document_is_markup_in_the_card(rich):
    """Whatever a text or a path holds is shown as it is, in one cell, and moves no cursor."""
    card = corpus_card(*rich)
    assert "\x1b" not in card
    assert "\u202e" not in card
    shown = pyromark.html(card, options=pyromark.Options.ENABLE_TABLES)
    assert "<script" not in shown
    assert "<a " not in shown
    assert shown.count("&lt;script&gt;alert(1)") == card.count("alert(1)")
    assert "A sentence that goes on." in shown
    assert LONG[:60] not in shown, "the column beside it would lie out of sight"
    assert {row.count("<t") for row in re.findall(r"<tr>(.*?)</tr>", shown.split("as kept")[1])} == {2}
