"""The corpus card: what became of the documents, from the store's own list."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.errors import IntegrityError
from tasks.filter_markdown.card import corpus_card
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


def test_a_card_is_made_of_bytes_that_hash(corpus):
    """A stored list of dropped documents that was damaged is refused, not shown."""
    step, made = corpus
    stored = Path(made.uri.removeprefix("file://")) / "dropped.parquet"
    stored.write_bytes(stored.read_bytes()[:-9] + b"damaged!!")
    with pytest.raises(IntegrityError, match=r"dropped\.parquet differs from its manifest"):
        corpus_card(step, made)
