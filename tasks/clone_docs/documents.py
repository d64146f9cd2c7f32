"""Documents as they come in, and the Parquet file that they are written to."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

FileReason = Literal["not_regular_file", "excluded_path", "too_large"]
RecordReason = Literal["not_json", "not_utf8", "null_record", "wrong_type", "no_text"]
Reason = FileReason | RecordReason
"""Why there is no content: of a file, and of a record of a JSON file."""

SCHEMA = pa.schema(
    [
        pa.field("path", pa.string(), nullable=False),
        pa.field("blob_sha", pa.string()),
        pa.field("size", pa.int64()),
        pa.field("content", pa.large_binary()),
        pa.field("reason", pa.string()),
    ]
)
CLEANED = pa.field("cleaned", pa.bool_(), nullable=False)
"""A column more, where the texts were cleaned before and are not to be cleaned again."""
ROW_GROUP_BYTES = 32 << 20
ROW_GROUP_ROWS = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One file that matches the patterns."""

    path: bytes
    blob_sha: str | None
    """Git's object id of the bytes; None where they were never read."""
    size: int | None = None
    content: bytes | None = None
    reason: Reason | None = None
    """Why there is no content."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What was written."""

    found: int
    read: int
    bytes_read: int
    unread: dict[str, int] = field(default_factory=dict)
    """Files that look like documents and match no pattern, by the end of their names."""
    submodules: int = 0
    """Other repositories within this one, of which nothing is read."""


def write_documents(path: Path, documents: Iterable[Document], *, cleaned: bool = False) -> Counts:
    """Write `documents`, which come sorted by path, a row group at a time to bound the memory."""
    found = read = bytes_read = pending = 0
    rows: list[dict[str, Any]] = []
    schema = SCHEMA.append(CLEANED) if cleaned else SCHEMA
    escaped = set[str]()
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for document in documents:
            rows.append(_row(document, escaped) | ({CLEANED.name: True} if cleaned else {}))
            found += 1
            if document.content is not None:
                read += 1
                bytes_read += len(document.content)
                pending += len(document.content)
            if pending >= ROW_GROUP_BYTES or len(rows) >= ROW_GROUP_ROWS:
                writer.write_table(pa.Table.from_pylist(rows, schema))
                rows, pending = [], 0
        if rows:
            writer.write_table(pa.Table.from_pylist(rows, schema))
    return Counts(found=found, read=read, bytes_read=bytes_read)


def _row(document: Document, escaped: set[str]) -> dict[str, Any]:
    """The document's row; `escaped` are the paths with a backslash so far, of which two can look alike."""
    path = shown_path(document.path)
    if "\\" in path:
        while path in escaped:
            path += "~"
        escaped.add(path)
    return {
        "path": path,
        "blob_sha": document.blob_sha,
        "size": document.size,
        "content": document.content,
        "reason": document.reason,
    }


def shown_path(path: bytes | str) -> str:
    """A path as it is stored: what is no UTF-8 in it is escaped."""
    raw = path.encode("utf-8", "surrogatepass") if isinstance(path, str) else path
    return raw.decode("utf-8", "backslashreplace")


def blob_sha(content: bytes) -> str:
    """The id that Git would give a file with this content, in a repository with SHA-1 ids."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
