"""A snapshot's documents become a corpus, in two passes with bounded memory.

The first pass cleans every document, writes its text to a file beside and remembers a few bytes of it. The
second knows all documents: it leaves the copies out and marks those that are held out. Where boilerplate is
to go, there is one between them, for a line is known as such only when all documents were seen.
"""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks.errors import UserError
from tasks.filter_markdown.boilerplate import boilerplate_of, without_lines
from tasks.filter_markdown.dropping import EVAL, SPLITS, Decided, Fingerprints, decide, sides_warning
from tasks.filter_markdown.judging import (
    DOCUMENTS_FOR_A_POOL,
    Judged,
    RawDocument,
    judge_all,
    measure,
    with_fingerprints,
)
from tasks.filter_markdown.look import EXAMPLES, Look, ResidueCount, sampled, samples_of
from tasks.filter_markdown.rows import (
    CORPUS_SCHEMA,
    DROPPED_SCHEMA,
    Row,
    cleaned_of,
    read_rows,
    read_tables,
    row_of,
    rows_into,
    with_column,
)
from tasks.filter_markdown.settings import FilterSettings
from tasks.machine import usable_cores
from tasks.records import Corpus
from tasks.stage.log import stage_logger
from tasks.stage.progress import tell

_READ_ROWS = 32
_LOG_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterCounts:
    """What became of the documents; see `Corpus`."""

    found: int
    kept: int
    dropped_by_reason: dict[str, int]
    characters: int
    eval_documents: int
    languages: dict[str, int]
    near_groups: int = 0
    near_documents: int = 0
    largest_group: int = 0
    boilerplate_lines: int = 0
    boilerplate_characters: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """What passed its own checks, and what did not."""

    file: Path
    """The texts, in the order of the documents."""
    documents: Fingerprints
    dropped: list[Row]
    characters: int
    residue: dict[str, dict[str, int]]
    """See `Look`."""


def read_documents(documents: Path) -> Iterator[RawDocument]:
    """The files of a snapshot's `documents.parquet`, in its order, a few in memory at a time."""
    with pq.ParquetFile(documents) as file:
        there = {"path", "blob_sha", "content", "reason", "cleaned"} & set(file.schema_arrow.names)
        for batch in file.iter_batches(_READ_ROWS, columns=sorted(there)):
            for row in batch.to_pylist():
                yield RawDocument(**row)


def filter_documents(
    documents: Path, target: Path, settings: FilterSettings, *, workers: int | None = None
) -> FilterCounts:
    """Write the corpus and the list of dropped documents of the snapshot file `documents` into `target`.

    Args:
        workers: processes that clean; as many as there are cores, where there is work for them, if None.

    Raises:
        UserError: nothing is left, or too little to hold some out.
    """
    total = pq.read_metadata(documents).num_rows
    workers = workers or (usable_cores() if total >= DOCUMENTS_FOR_A_POOL else 1)
    judged = judge_all(read_documents(documents), settings, workers=workers)
    first = passed = write_cleaned(target / "cleaned.parquet", _told(judged, total))
    gone: Counter[str] = Counter()
    if settings.boilerplate_share is not None:
        gone = boilerplate_of(lambda: read_rows(first.file), settings.boilerplate_share)
        passed = drop_lines(first, gone, settings) if gone else first

    decided = decide(passed.documents, settings)
    if not decided.kept:
        by_reason = Counter([row["reason"] for row in passed.dropped] + decided.fates)
        raise UserError(nothing_left(by_reason, settings))
    counts = write_corpus(target, read_tables(passed.file), decided, passed.dropped, settings)
    paths = [path for path, fate in zip(passed.documents.paths, decided.fates, strict=True) if fate in SPLITS]
    Look(
        samples=samples_of(documents, target / Corpus.FILE, sampled(paths)),
        residue=passed.residue,
        groups=decided.examples,
        boilerplate=dict(gone.most_common(EXAMPLES)),
    ).write(target)
    for file in {first.file, passed.file}:
        file.unlink()
    return replace(
        counts, boilerplate_lines=len(gone), boilerplate_characters=first.characters - passed.characters
    )


def write_cleaned(file: Path, judged: Iterable[Judged]) -> Passed:
    """The first pass: write what passed its own checks to `file`, and remember its fingerprints."""
    documents, characters, left = Fingerprints(), 0, ResidueCount()
    dropped: list[Row] = []
    with rows_into(file) as write:
        for one in judged:
            if one.reason is not None:
                dropped.append({"path": one.path, "blob_sha": one.blob_sha, "reason": one.reason})
                continue
            documents.add(one.path, one.digest, one.signature)
            characters += len(one.cleaned.text)
            left.add(one.residue)
            told = {"path": one.path, "blob_sha": one.blob_sha, "language": one.language}
            write(row_of(one.cleaned) | told)
    return Passed(
        file=file, documents=documents, dropped=dropped, characters=characters, residue=left.by_mark()
    )


def drop_lines(passed: Passed, gone: Counter[str], settings: FilterSettings) -> Passed:
    """The same documents without some lines; what is too short without them is dropped."""

    def judged() -> Iterator[Judged]:
        for rows in read_rows(passed.file):
            bare = ((row, without_lines(cleaned_of(row), gone)) for row in rows)
            yield from with_fingerprints(
                [measure(row["path"], row["blob_sha"], cleaned, settings) for row, cleaned in bare]
            )

    without = write_cleaned(passed.file.with_name("without.parquet"), judged())
    return replace(without, dropped=passed.dropped + without.dropped)


def write_corpus(
    target: Path,
    tables: Iterable[pa.Table],
    decided: Decided,
    dropped: Sequence[Row],
    settings: FilterSettings,
) -> FilterCounts:
    """The second pass: write the corpus and the list of dropped documents into the folder `target`.

    Args:
        tables: documents that passed their own checks, some at a time.
        decided: what becomes of them.
        dropped: documents that were dropped before.
    """
    gone, fates = list(dropped), iter(decided.fates)
    characters = 0
    languages: Counter[str] = Counter()
    with pq.ParquetWriter(target / Corpus.FILE, CORPUS_SCHEMA, compression="zstd") as writer:
        for table in tables:
            table = with_column(table, "split", list(islice(fates, len(table))))
            stays = pc.is_in(table["split"], pa.array(SPLITS))
            staying = table.filter(stays)
            leaving = table.filter(pc.invert(stays)).select(["path", "blob_sha", "split"])
            gone += leaving.rename_columns(DROPPED_SCHEMA.names).to_pylist()
            writer.write_table(staying.cast(CORPUS_SCHEMA))
            characters += pc.sum(pc.utf8_length(staying["text"])).as_py() or 0
            languages.update(staying["language"].to_pylist())
    gone.sort(key=lambda row: row["path"])
    pq.write_table(pa.Table.from_pylist(gone, DROPPED_SCHEMA), target / Corpus.DROPPED)
    held = decided.fates.count(EVAL)
    if warning := sides_warning(decided.kept, held, decided.largest_group, settings.eval_fraction):
        stage_logger().warning("%s", warning)
    return FilterCounts(
        found=decided.kept + len(gone),
        kept=decided.kept,
        dropped_by_reason=dict(sorted(Counter(row["reason"] for row in gone).items())),
        characters=characters,
        eval_documents=held,
        languages=dict(sorted(languages.items())),
        near_groups=decided.near_groups,
        near_documents=decided.near_documents,
        largest_group=decided.largest_group,
    )


def nothing_left(by_reason: Counter[str], settings: FilterSettings) -> str:
    """What to tell a user whose documents were all dropped."""
    if not by_reason:
        return "no document matches source.include: check the patterns and the source"
    counts = ", ".join(f"{count} {reason}" for reason, count in sorted(by_reason.items()))
    kept = f", filter.languages ({', '.join(settings.languages)})" if settings.languages else ""
    return (
        f"none of {by_reason.total()} documents is left after filtering ({counts}): "
        f"see source.exclude{kept}, filter.min_chars ({settings.min_chars}) "
        f"and filter.max_chars ({settings.max_chars})"
    )


def _told(judged: Iterable[Judged], total: int) -> Iterator[Judged]:
    """The same documents, with the stage's bar moved and a line in the log now and then."""
    logged = time.monotonic()
    for done, document in enumerate(judged, start=1):
        yield document
        tell(f"Cleaned {done:,} of {total:,} documents", 0.9 * done / total)
        if time.monotonic() - logged > _LOG_SECONDS:
            logged = time.monotonic()
            stage_logger().info("Cleaned %s documents", f"{done:,}")
