"""Several corpora become one: paths stay distinct, copies go, and nobody changes sides."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.filter_markdown.corpus import CORPUS_SCHEMA, DROPPED_SCHEMA
from tasks.filter_markdown.joining import join_files
from tasks.filter_markdown.settings import FilterSettings

LONG = "a text about the gateway of a cluster and how its policy denies requests from other regions "


@pytest.fixture
def corpora(tmp_path):
    """Write a stored corpus for each source: documents as (path, text, split), and one dropped."""

    def write(**sources):
        folders = {}
        for name, documents in sources.items():
            folder = folders[name.replace("_", "/")] = tmp_path / name
            folder.mkdir()
            rows = [
                {"path": path, "text": text, "split": split, "blob_sha": path, "code_spans": []}
                for path, text, split in documents
            ]
            pq.write_table(pa.Table.from_pylist(rows, CORPUS_SCHEMA), folder / "corpus.parquet")
            dropped = [{"path": "z.md", "blob_sha": "z", "reason": "too_short"}]
            pq.write_table(pa.Table.from_pylist(dropped, DROPPED_SCHEMA), folder / "dropped.parquet")
        return folders

    return write


def joined(folders, target, **settings):
    """Counts, the kept documents' splits by path, and the dropped ones' reasons by path."""
    target.mkdir()
    counts = join_files(folders, target, FilterSettings(**settings))
    kept = pq.read_table(target / "corpus.parquet").to_pylist()
    dropped = pq.read_table(target / "dropped.parquet").to_pylist()
    return (
        counts,
        {row["path"]: row["split"] for row in kept},
        {row["path"]: row["reason"] for row in dropped},
    )


def test_of_copies_the_first_source_keeps_its_own(corpora, tmp_path):
    """A copy, white space aside, goes with its reason; every other document stays on its side."""
    folders = corpora(
        b=[("a.md", "one", "train"), ("own.md", "three", "eval")],
        a=[("a.md", "two", "train"), ("c.md", "one ", "eval")],
    )
    counts, kept, dropped = joined(folders, tmp_path / "joint")
    assert kept == {"a:a.md": "train", "a:c.md": "eval", "b:own.md": "eval"}
    assert dropped == {
        "a:z.md": "too_short",
        "b:a.md": "exact_duplicate_across_sources",
        "b:z.md": "too_short",
    }
    assert (counts.found, counts.kept, counts.eval_documents) == (6, 3, 2)
    assert counts.dropped_by_reason == {"exact_duplicate_across_sources": 1, "too_short": 2}
    assert counts.characters == len("one ") + len("two") + len("three")


def test_the_order_of_the_sources_does_not_matter(corpora, tmp_path):
    """Listed either way, the files are the same bytes, also where one name begins another."""
    folders = corpora(a=[("x.md", "one", "eval")], a_b=[("x.md", "one", "train"), ("y.md", "two", "eval")])
    _, kept, _ = joined(folders, tmp_path / "one")
    joined(dict(reversed(folders.items())), tmp_path / "two")
    assert kept == {"a/b:x.md": "train", "a/b:y.md": "eval"}
    for name in ("corpus.parquet", "dropped.parquet"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_copies_that_are_kept_follow_the_first(corpora, tmp_path):
    """Where copies are kept, a copy of a training document is never held out."""
    folders = corpora(a=[("x.md", "one", "train")], b=[("x.md", "one", "eval"), ("y.md", "two", "eval")])
    counts, kept, _ = joined(folders, tmp_path / "joint", duplicates="keep")
    assert kept == {"a:x.md": "train", "b:x.md": "train", "b:y.md": "eval"}
    assert counts.eval_documents == 1


def test_similar_texts_of_two_sources_are_found(corpora, tmp_path):
    """With `near`, the second source's almost equal text goes."""
    pytest.importorskip("datasketch")
    folders = corpora(
        a=[("x.md", LONG * 5, "train")], b=[("x.md", LONG * 5 + "once", "eval"), ("y.md", "two", "eval")]
    )
    _, kept, dropped = joined(folders, tmp_path / "joint", duplicates="near")
    assert set(kept) == {"a:x.md", "b:y.md"}
    assert dropped["b:x.md"] == "near_duplicate_across_sources"
