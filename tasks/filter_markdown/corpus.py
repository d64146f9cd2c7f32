"""A snapshot's documents become a corpus, in two passes with bounded memory.

The first pass cleans every document, writes its text to a file beside and remembers a few bytes of it. The
second knows all documents: it leaves the copies out and marks those that are held out.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
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
from tasks.records import Corpus
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
ROWS = 256
"""Rows in a group of the files, and in memory at a time."""
_LOG_SECONDS = 5.0

Row = dict[str, Any]
"""A document with the columns of `CORPUS_SCHEMA`, or one that was dropped with those of `DROPPED_SCHEMA`."""


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
        there = {"path", "blob_sha", "content", "reason", "cleaned"} & set(file.schema_arrow.names)
        for batch in file.iter_batches(_READ_ROWS, columns=sorted(there)):
            for row in batch.to_pylist():
                yield RawDocument(**row)


def read_rows(file: Path) -> Iterator[list[Row]]:
    """The rows of a Parquet file in its order, some in memory at a time."""
    with pq.ParquetFile(file) as stored:
        for batch in stored.iter_batches(ROWS):
            yield batch.to_pylist()


def filter_documents(
    documents: Path, target: Path, settings: FilterSettings, *, workers: int | None = None
) -> FilterCounts:
    """Write the corpus and the list of dropped documents of the snapshot file `documents` into `target`.

    Args:
        workers: processes that clean; as many as there are cores, where there is work for them, if None.

    Raises:
        UserError: nothing is left, or too little to hold some out.
    """
    if settings.duplicates == "near":
        near_duplicates.check_installed()
    total = pq.read_metadata(documents).num_rows
    workers = workers or (usable_cores() if total >= DOCUMENTS_FOR_A_POOL else 1)
    judged = judge_all(read_documents(documents), settings, workers=workers)
    cleaned = target / "cleaned.parquet"
    fingerprints, dropped = write_cleaned(cleaned, _told(judged, total))

    reasons = copies(fingerprints, settings)
    kept = [fingerprint for fingerprint in fingerprints if fingerprint.path not in reasons]
    if not kept:
        by_reason = Counter([row["reason"] for row in dropped] + list(reasons.values()))
        raise UserError(nothing_left(by_reason, settings))
    evaluated = held_out(kept, settings.eval_fraction)
    splits = {one.path: "eval" if one.path in evaluated else "train" for one in kept}

    counts = write_corpus(target, read_rows(cleaned), reasons, splits, dropped)
    cleaned.unlink()
    return counts


def write_cleaned(cleaned: Path, judged: Iterable[Judged]) -> tuple[list[Fingerprint], list[Row]]:
    """The first pass: write what passed its own checks to `cleaned`; its fingerprints, and what did not."""
    fingerprints: list[Fingerprint] = []
    dropped: list[Row] = []
    with _rows_into(cleaned) as write:
        for one in judged:
            if one.reason is not None:
                dropped.append({"path": one.path, "blob_sha": one.blob_sha, "reason": one.reason})
                continue
            fingerprints.append(Fingerprint(path=one.path, digest=one.digest, signature=one.signature))
            spans = [{"start": start, "end": end} for start, end in one.code_spans]
            write({"text": one.text, "path": one.path, "blob_sha": one.blob_sha, "code_spans": spans})
    return fingerprints, dropped


def write_corpus(
    target: Path,
    groups: Iterable[list[Row]],
    reasons: Mapping[str, str],
    splits: Mapping[str, str],
    dropped: Iterable[Row],
) -> FilterCounts:
    """The second pass: write the corpus and the list of dropped documents into the folder `target`.

    Args:
        groups: documents that passed their own checks, those of one row group at a time.
        reasons: by path, why a document is dropped all the same.
        splits: by path, the side of every other one.
        dropped: documents that were dropped before.
    """
    gone = list(dropped)
    kept = characters = evaluated = 0
    with pq.ParquetWriter(target / Corpus.FILE, CORPUS_SCHEMA, compression="zstd") as writer:
        for rows in groups:
            staying = [row | {"split": splits[row["path"]]} for row in rows if row["path"] not in reasons]
            writer.write_table(pa.Table.from_pylist(staying, CORPUS_SCHEMA))
            kept += len(staying)
            characters += sum(len(row["text"]) for row in staying)
            evaluated += sum(row["split"] == "eval" for row in staying)
            gone += [
                {"path": row["path"], "blob_sha": row["blob_sha"], "reason": reasons[row["path"]]}
                for row in rows
                if row["path"] in reasons
            ]
    gone.sort(key=lambda row: row["path"])
    pq.write_table(pa.Table.from_pylist(gone, DROPPED_SCHEMA), target / Corpus.DROPPED)
    return FilterCounts(
        found=kept + len(gone),
        kept=kept,
        dropped_by_reason=dict(sorted(Counter(row["reason"] for row in gone).items())),
        characters=characters,
        eval_documents=evaluated,
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


@contextmanager
def _rows_into(path: Path) -> Iterator[Callable[[Row], None]]:
    """Within, what writes a row to the Parquet file `path`, a group at a time."""
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


def _told(judged: Iterable[Judged], total: int) -> Iterator[Judged]:
    """The same documents, with the stage's bar moved and a line in the log now and then."""
    logged = time.monotonic()
    for done, document in enumerate(judged, start=1):
        yield document
        tell(f"Cleaned {done:,} of {total:,} documents", 0.9 * done / total)
        if time.monotonic() - logged > _LOG_SECONDS:
            logged = time.monotonic()
            stage_logger().info("Cleaned %s documents", f"{done:,}")
