"""The stage: a snapshot's documents in, the corpus out, in two passes with bounded memory.

The first pass cleans every document, writes its text to a file beside and remembers a few bytes of it. The
second knows all documents: it leaves the copies out and marks those that are held out.
"""

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.errors import UserError
from tasks.filter_markdown import near_duplicates
from tasks.filter_markdown.dropping import Fingerprint, copies, held_out
from tasks.filter_markdown.judging import DOCUMENTS_FOR_A_POOL, Judged, RawDocument, judge_all
from tasks.filter_markdown.settings import FilterSettings
from tasks.machine import usable_cores
from tasks.stage.log import stage_logger
from tasks.stage.progress import tell

_SPANS = pa.list_(pa.struct([("start", pa.int32()), ("end", pa.int32())]))
CORPUS_SCHEMA = pa.schema(
    [
        ("text", pa.large_string()),
        ("path", pa.string()),
        ("blob_sha", pa.string()),
        ("split", pa.string()),
        ("code_spans", _SPANS),
    ]
)
"""`split` is `train` or `eval`; `code_spans` are character ranges of the code blocks in `text`."""
DROPPED_SCHEMA = pa.schema([("path", pa.string()), ("blob_sha", pa.string()), ("reason", pa.string())])

_READ_ROWS = 32
_WRITE_ROWS = 256
_LOG_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterCounts:
    """What became of the documents."""

    found: int
    kept: int
    dropped_by_reason: dict[str, int]
    characters: int
    eval_documents: int


def read_documents(documents: Path) -> Iterator[RawDocument]:
    """The files of a snapshot's `documents.parquet`, in its order, a few in memory at a time."""
    with pq.ParquetFile(documents) as file:
        for batch in file.iter_batches(_READ_ROWS, columns=["path", "blob_sha", "content", "reason"]):
            for row in batch.to_pylist():
                yield RawDocument(**row)


def filter_documents(
    documents: Path, target: Path, settings: FilterSettings, *, workers: int | None = None
) -> FilterCounts:
    """Write `corpus.parquet` and `dropped.parquet` of the snapshot file `documents` into `target`.

    Args:
        workers: processes that clean; as many as there are cores, where there is work for them, if None.

    Raises:
        UserError: nothing is left, or too little to hold some out.
    """
    if settings.duplicates == "near":
        near_duplicates.check_installed()
    cleaned = target / "cleaned.parquet"
    dropped: list[dict[str, str]] = []
    fingerprints: list[Fingerprint] = []
    total = pq.read_metadata(documents).num_rows
    workers = workers or (usable_cores() if total >= DOCUMENTS_FOR_A_POOL else 1)
    judged = judge_all(read_documents(documents), settings, workers=workers)
    with pq.ParquetWriter(cleaned, CORPUS_SCHEMA, compression="zstd") as writer:
        for rows in _in_row_groups(_passed(judged, dropped, fingerprints, total)):
            writer.write_table(pa.Table.from_pylist(rows, CORPUS_SCHEMA))

    reasons = copies(fingerprints, settings)
    kept = [fingerprint for fingerprint in fingerprints if fingerprint.path not in reasons]
    by_reason = Counter([row["reason"] for row in dropped] + list(reasons.values()))
    if not kept:
        raise UserError(nothing_left(by_reason, settings))
    evaluated = held_out(kept, settings.eval_fraction)

    characters = 0
    with (
        pq.ParquetFile(cleaned) as file,
        pq.ParquetWriter(target / "corpus.parquet", CORPUS_SCHEMA, compression="zstd") as writer,
    ):
        for batch in file.iter_batches(_WRITE_ROWS):
            rows = []
            for row in batch.to_pylist():
                if row["path"] in reasons:
                    reason = reasons[row["path"]]
                    dropped.append({"path": row["path"], "blob_sha": row["blob_sha"], "reason": reason})
                else:
                    characters += len(row["text"])
                    rows.append(row | {"split": "eval" if row["path"] in evaluated else "train"})
            writer.write_table(pa.Table.from_pylist(rows, CORPUS_SCHEMA))
    cleaned.unlink()
    dropped.sort(key=lambda row: row["path"])
    pq.write_table(pa.Table.from_pylist(dropped, DROPPED_SCHEMA), target / "dropped.parquet")
    return FilterCounts(
        found=len(kept) + len(dropped),
        kept=len(kept),
        dropped_by_reason=dict(sorted(by_reason.items())),
        characters=characters,
        eval_documents=len(evaluated),
    )


def nothing_left(by_reason: Counter[str], settings: FilterSettings) -> str:
    """What to tell a user whose documents were all dropped."""
    if not by_reason:
        return "no document matches source.include: check the patterns and the source"
    counts = ", ".join(f"{count} {reason}" for reason, count in sorted(by_reason.items()))
    return (
        f"none of {by_reason.total()} documents is left after filtering ({counts}): "
        f"see source.exclude, filter.min_chars ({settings.min_chars}) "
        f"and filter.max_chars ({settings.max_chars})"
    )


def _passed(
    judged: Iterable[Judged], dropped: list[dict[str, str]], fingerprints: list[Fingerprint], total: int
) -> Iterator[dict[str, Any]]:
    """The rows of documents that passed their own checks; fills the two lists on the way."""
    logged = time.monotonic()
    for document in judged:
        if document.reason is not None:
            dropped.append({"path": document.path, "blob_sha": document.blob_sha, "reason": document.reason})
        else:
            fingerprints.append(
                Fingerprint(path=document.path, digest=document.digest, signature=document.signature)
            )
            yield {
                "text": document.text,
                "path": document.path,
                "blob_sha": document.blob_sha,
                "split": None,
                "code_spans": [{"start": start, "end": end} for start, end in document.code_spans],
            }
        done = len(fingerprints) + len(dropped)
        tell(f"Cleaned {done:,} of {total:,} documents", 0.9 * done / total)
        if time.monotonic() - logged > _LOG_SECONDS:
            logged = time.monotonic()
            stage_logger().info("Cleaned %s documents", f"{done:,}")


def _in_row_groups(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    group: list[dict[str, Any]] = []
    for row in rows:
        group.append(row)
        if len(group) == _WRITE_ROWS:
            yield group
            group = []
    if group:
        yield group
