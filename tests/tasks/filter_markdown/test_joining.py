"""Several corpora become one: paths stay distinct, copies go, and nobody changes sides."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.filter_markdown.joining import join_files
from tasks.filter_markdown.look import Look, ResidueCount, Sample
from tasks.filter_markdown.rows import CORPUS_SCHEMA, DROPPED_SCHEMA
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
                | {"language": "en"}
                for path, text, split in documents
            ]
            pq.write_table(pa.Table.from_pylist(rows, CORPUS_SCHEMA), folder / "corpus.parquet")
            dropped = [{"path": "z.md", "blob_sha": "z", "reason": "too_short"}]
            pq.write_table(pa.Table.from_pylist(dropped, DROPPED_SCHEMA), folder / "dropped.parquet")
            left = ResidueCount()
            left.add({":::": 2})
            Look(
                samples=[Sample(path=path, raw=text, cleaned=text) for path, text, _ in documents],
                residue=left.by_mark(),
            ).write(folder)
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
    folders = corpora(
        a=[("x.md", LONG * 5, "train")], b=[("x.md", LONG * 5 + "once", "eval"), ("y.md", "two", "eval")]
    )
    _, kept, dropped = joined(folders, tmp_path / "joint", duplicates="near")
    assert set(kept) == {"a:x.md", "b:y.md"}
    assert dropped["b:x.md"] == "near_duplicate_across_sources"


def test_groups_reach_across_sources(corpora, tmp_path):
    """A near copy of another source's document follows it, and takes along those of its own source."""
    folders = corpora(
        a=[("x.md", LONG * 5, "train"), ("z.md", "two", "eval")],
        b=[("x.md", LONG * 5 + "once", "eval"), ("y.md", "three", "train")],
    )
    counts, kept, _ = joined(folders, tmp_path / "joint")
    assert kept == {"a:x.md": "train", "a:z.md": "eval", "b:x.md": "train", "b:y.md": "train"}
    assert (counts.near_groups, counts.near_documents, counts.largest_group) == (1, 2, 2)


def test_samples_and_marks_of_all_sources_are_shown(corpora, tmp_path):
    """Samples of each source in turn, by their joint paths; marks are added up."""
    documents = [(f"{n}.md", f"text {n}", "train" if n else "eval") for n in range(3)]
    folders = corpora(a=documents, b=[(path, f"other {text}", split) for path, text, split in documents])
    joined(folders, tmp_path / "joint")
    look = Look.read(tmp_path / "joint" / "look.json")
    assert [sample.path for sample in look.samples] == ["a:0.md", "b:0.md", "a:1.md"]
    assert look.residue == {":::": {"marks": 4, "documents": 2}}
