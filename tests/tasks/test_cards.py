"""What is shown in the Prefect UI, as Markdown."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.cards import code, figures_table, text
from tasks.errors import IntegrityError
from tasks.filter_markdown.card import corpus_card
from tasks.models.published import Version
from tasks.records import Corpus, TrainedModel
from tasks.run.summary import versions_table
from tasks.stage.target import Target
from tasks.store.folders import Store
from tasks.store.manifest import Manifest
from tasks.train_model.card import masks_card


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
    assert card.index("dropped: too short | 7 | 35.0%") < card.index("dropped: not utf8 | 1 | 5.0%")
    assert "| **kept** | 12 | 60.0% |" in card
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


def test_masks_are_shown_around_the_mask():
    """A long text is cut around its mask, markup in it is plain text, and a right guess is bold."""
    long = "x " * 200 + "see the [MASK] | **here** " + "y " * 200
    card = masks_card([{"text": long, "answer": "portal", "before": ["the", "*"], "after": ["portal", "a"]}])
    assert "\\[MASK\\]" in card
    assert "\\*\\*here\\*\\*" in card
    assert len(card.splitlines()[0]) < 140
    assert "before: `the`, `*`; after: **`portal`**, `a`" in card
    assert "No documents were held out" in masks_card([])


def test_text_and_code_hold_any_characters():
    """Line breaks, pipes and unprintable characters do not break a table."""
    assert text("a\n| b") == "a \\| b"
    assert code("a\n\x00b") == "`a��b`"


def test_the_newest_versions_come_first():
    """The last ten versions side by side, with a dash where nothing was held out."""
    versions = [
        Version(
            version=f"v{n:02}", uri="u", source="https://h/o/r.git", commit_sha="c" * 40, documents=9,
            steps=3, loss_before=None, loss_after=1.5, accuracy=0.25,
        )
        for n in range(12)
    ]  # fmt: skip
    rows = versions_table(versions).splitlines()[2:]
    assert len(rows) == 10
    assert rows[0] == "| – | 1.500 | 25.0% | 3 | 9 | o/r@cccccccc | `v11` |"


def test_without_held_out_documents_the_training_loss_is_told():
    """A run that evaluates nothing still says how it ended."""
    trained = TrainedModel(
        uri="u", key="k", global_step=1, resumed_from_step=0, tokens_per_second=1.0, loss=2.5,
        eval_before=None, eval_after=None, device="cpu", history=[], fill_samples=[],
    )  # fmt: skip
    assert "2.5000" in figures_table(trained)


def test_a_card_is_made_of_bytes_that_hash(corpus):
    """A stored list of dropped documents that was damaged is refused, not shown."""
    step, made = corpus
    stored = Path(made.uri.removeprefix("file://")) / "dropped.parquet"
    stored.write_bytes(stored.read_bytes()[:-9] + b"damaged!!")
    with pytest.raises(IntegrityError, match=r"dropped\.parquet differs from its manifest"):
        corpus_card(step, made)
