"""The rows of a corpus as they are written and read, some in memory at a time."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

_SPANS = pa.list_(pa.struct([("start", pa.int32()), ("end", pa.int32())]))
CORPUS_SCHEMA = pa.schema(
    [
        ("text", pa.large_string()),
        ("path", pa.string()),
        ("blob_sha", pa.string()),
        ("split", pa.string()),
        ("code_spans", _SPANS),
        ("language", pa.string()),
    ]
)
"""`split` is `train` or `eval`; `code_spans` are character ranges of the code blocks in `text`; `language` is
a two-letter code, or `und`."""
DROPPED_SCHEMA = pa.schema([("path", pa.string()), ("blob_sha", pa.string()), ("reason", pa.string())])
ROWS = 256
"""Rows in a group of the files, and in memory at a time."""

Row = dict[str, Any]
"""A document with the columns of `CORPUS_SCHEMA`, or one that was dropped with those of `DROPPED_SCHEMA`."""


def read_rows(file: Path) -> Iterator[list[Row]]:
    """The rows of a Parquet file in its order, some in memory at a time."""
    with pq.ParquetFile(file) as stored:
        for batch in stored.iter_batches(ROWS):
            yield batch.to_pylist()


@contextmanager
def rows_into(path: Path) -> Iterator[Callable[[Row], None]]:
    """Within, what writes a document's row to the Parquet file `path`, a group at a time."""
    with pq.ParquetWriter(path, CORPUS_SCHEMA, compression="zstd") as writer:
        group: list[Row] = []

        def write(row: Row) -> None:
            group.append(row)
            if len(group) == ROWS:
                flush()

        def flush() -> None:
            writer.write_table(pa.Table.from_pylist(group, CORPUS_SCHEMA))
            group.clear()

        yield write
        if group:
            flush()


def spans_of(row: Row) -> list[tuple[int, int]]:
    """Where a document's code stands."""
    return [(span["start"], span["end"]) for span in row["code_spans"]]
