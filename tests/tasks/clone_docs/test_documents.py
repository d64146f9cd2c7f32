"""The Parquet file of documents."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tasks.clone_docs.documents import SCHEMA, Counts, Document, blob_sha, write_documents
from tests.git_server import git


def test_many_documents_are_written_in_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Documents are written as they come, so that memory holds one group and not the whole repository."""
    monkeypatch.setattr("tasks.clone_docs.documents.ROW_GROUP_BYTES", 1_000)
    waiting = []

    def documents() -> Iterator[Document]:
        for number in range(100):
            waiting.append(number)
            yield Document(path=b"%03d.md" % number, blob_sha="x", size=100, content=bytes(100))
            waiting.append(number)

    counts = write_documents(tmp_path / "x.parquet", documents())
    assert counts == Counts(found=100, read=100, bytes_read=10_000)
    file = pq.ParquetFile(tmp_path / "x.parquet")
    assert file.schema_arrow.equals(SCHEMA)
    assert file.num_row_groups == 10
    assert file.metadata.row_group(0).column(3).compression == "ZSTD"


def test_nothing_found_is_an_empty_file(tmp_path: Path) -> None:
    """Without documents there is a file with the same columns and no rows."""
    assert write_documents(tmp_path / "x.parquet", []).found == 0
    assert pq.read_table(tmp_path / "x.parquet").schema.equals(SCHEMA)


@pytest.mark.parametrize("content", [b"", b"text", b"\0\xff" * 1_000])
def test_ids_are_gits(tmp_path: Path, content: bytes) -> None:
    """A document without Git has the id that Git would give it."""
    assert blob_sha(content) == git(tmp_path, "hash-object", "--stdin", stdin=content)


def test_paths_that_look_alike_stay_apart(tmp_path: Path) -> None:
    """A name that is no UTF-8 and one that spells its escape out are two documents with two paths."""
    content = {"content": b"x", "size": 1, "blob_sha": blob_sha(b"x")}
    documents = [Document(path=path, **content) for path in (b"\\xff.md", b"\xff.md")]  # type: ignore[arg-type]
    write_documents(tmp_path / "x.parquet", documents)
    paths = [row["path"] for row in pq.read_table(tmp_path / "x.parquet").to_pylist()]
    assert paths == ["\\xff.md", "\\xff.md~"]
