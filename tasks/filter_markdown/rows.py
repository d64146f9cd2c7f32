"""The rows of a corpus as they are written and read, some in memory at a time."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.filter_markdown.layout import Cleaned
from tasks.filter_markdown.places import Span

_SPAN = [("start", pa.int32()), ("end", pa.int32())]
CORPUS_SCHEMA = pa.schema(
    [
        ("text", pa.large_string()),
        ("path", pa.string()),
        ("blob_sha", pa.string()),
        ("split", pa.string()),
        ("code_spans", pa.list_(pa.struct(_SPAN))),
        ("language", pa.string()),
        ("title", pa.string()),
        ("description", pa.string()),
        ("headings", pa.list_(pa.struct([*_SPAN, ("level", pa.int8()), ("anchor", pa.string())]))),
        ("links", pa.list_(pa.struct([*_SPAN, ("target", pa.string())]))),
    ]
)
"""`split` is `train` or `eval`; `code_spans` are character ranges of the code blocks in `text`; `language` is
a two-letter code, or `und`. `title` and `description` are what the document says of itself, or empty.
`headings` and `links` are character ranges in `text`; a heading's `anchor` is the name that its author gave
it, or empty; a link's `target` is what the author wrote."""
DROPPED_SCHEMA = pa.schema([("path", pa.string()), ("blob_sha", pa.string()), ("reason", pa.string())])
ROWS = 256
"""Rows in a group of the files, and in memory at a time."""

Row = dict[str, Any]
"""A document with the columns of `CORPUS_SCHEMA`, or one that was dropped with those of `DROPPED_SCHEMA`."""


def read_tables(file: Path) -> Iterator[pa.Table]:
    """A Parquet file in its order, some rows in memory at a time."""
    with pq.ParquetFile(file) as stored:
        for batch in stored.iter_batches(ROWS):
            yield pa.Table.from_batches([batch])


def read_rows(file: Path) -> Iterator[list[Row]]:
    """The rows of a Parquet file in its order, some in memory at a time."""
    return (table.to_pylist() for table in read_tables(file))


def with_column(table: pa.Table, name: str, values: list[str]) -> pa.Table:
    """The table with other texts in one of its columns."""
    return table.set_column(table.schema.get_field_index(name), name, pa.array(values, pa.string()))


@contextmanager
def rows_into(path: Path) -> Iterator[Callable[[Row], None]]:
    """Within, what writes a document's row to the Parquet file `path`, a group at a time; it is read once."""
    with pq.ParquetWriter(path, CORPUS_SCHEMA, compression="lz4") as writer:
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


def row_of(cleaned: Cleaned) -> Row:
    """A cleaned document's columns; those that tell which document it is are for the caller."""
    return {
        "text": cleaned.text,
        "code_spans": [{"start": start, "end": end} for start, end in cleaned.code_spans],
        "title": cleaned.title,
        "description": cleaned.description,
        "headings": [
            {"start": start, "end": end, "level": level, "anchor": anchor}
            for start, end, level, anchor in cleaned.headings
        ],
        "links": [{"start": start, "end": end, "target": target} for start, end, target in cleaned.links],
    }


def cleaned_of(row: Row) -> Cleaned:
    """The document that `row_of` was told of."""
    return Cleaned(
        text=row["text"],
        code_spans=spans_of(row),
        title=row["title"],
        description=row["description"],
        headings=[(one["start"], one["end"], one["level"], one["anchor"]) for one in row["headings"]],
        links=[(one["start"], one["end"], one["target"]) for one in row["links"]],
    )


def spans_of(row: Row) -> list[Span]:
    """Where a document's code stands."""
    return [(span["start"], span["end"]) for span in row["code_spans"]]
