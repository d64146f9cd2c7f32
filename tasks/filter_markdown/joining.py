"""Several corpora as one: every document keeps its split, and a copy of another source's document is dropped.

A document's path begins with its source's name, `owner/docs:articles/a.md`, so that paths stay distinct.
Sources come in the order of their names, and of copies the first stays, so the order in which a user lists
them does not matter. What is held out of a source's own corpus is held out here too.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.filter_markdown import near_duplicates
from tasks.filter_markdown.card import corpus_card
from tasks.filter_markdown.corpus import CORPUS_SCHEMA, DROPPED_SCHEMA, FilterCounts
from tasks.filter_markdown.dropping import Fingerprint, copies, digest_of
from tasks.filter_markdown.settings import FilterSettings
from tasks.records import Corpus, DocsSnapshot
from tasks.stage.stage import stage
from tasks.stage.target import Target

ACROSS = "_across_sources"
"""Ends the reason of a document that is a copy of another source's."""
_ROWS = 256


def joint_path(source: str, path: str) -> str:
    """What a document of a source is called in a joint corpus."""
    return f"{source}:{path}"


def read_rows(corpora: dict[str, Path], file: str) -> Iterator[list[dict[str, Any]]]:
    """The rows of `file` in each of the folders, with joint paths, in their order, some at a time."""
    for source, folder in sorted(corpora.items(), key=lambda item: joint_path(item[0], "")):
        with pq.ParquetFile(folder / file) as stored:
            for batch in stored.iter_batches(_ROWS):
                yield [row | {"path": joint_path(source, row["path"])} for row in batch.to_pylist()]


def join_files(corpora: dict[str, Path], target: Path, settings: FilterSettings) -> FilterCounts:
    """Write `corpus.parquet` and `dropped.parquet` of the folders in `corpora`, by source, into `target`."""
    if settings.duplicates == "near":
        near_duplicates.check_installed()
    fingerprints: list[Fingerprint] = []
    splits: dict[str, str] = {}
    of_text: dict[bytes, str] = {}
    for rows in read_rows(corpora, "corpus.parquet"):
        for row in rows:
            near = settings.duplicates == "near"
            fingerprint = Fingerprint(
                path=row["path"],
                digest=digest_of(row["text"]),
                signature=near_duplicates.signature(row["text"]) if near else None,
            )
            fingerprints.append(fingerprint)
            # Where copies are kept they follow the first: none of a training document is ever held out.
            splits[fingerprint.path] = of_text.setdefault(fingerprint.digest, row["split"])
    reasons = {path: reason + ACROSS for path, reason in copies(fingerprints, settings).items()}

    dropped = [row for rows in read_rows(corpora, "dropped.parquet") for row in rows]
    characters = 0
    with pq.ParquetWriter(target / "corpus.parquet", CORPUS_SCHEMA, compression="zstd") as writer:
        for rows in read_rows(corpora, "corpus.parquet"):
            kept = [row | {"split": splits[row["path"]]} for row in rows if row["path"] not in reasons]
            characters += sum(len(row["text"]) for row in kept)
            writer.write_table(pa.Table.from_pylist(kept, CORPUS_SCHEMA))
            dropped += [
                {"path": row["path"], "blob_sha": row["blob_sha"], "reason": reasons[row["path"]]}
                for row in rows
                if row["path"] in reasons
            ]
    dropped.sort(key=lambda row: row["path"])
    pq.write_table(pa.Table.from_pylist(dropped, DROPPED_SCHEMA), target / "dropped.parquet")
    return FilterCounts(
        found=len(fingerprints) - len(reasons) + len(dropped),
        kept=len(fingerprints) - len(reasons),
        dropped_by_reason=dict(sorted(Counter(row["reason"] for row in dropped).items())),
        characters=characters,
        eval_documents=sum(splits[path] == "eval" for path in splits.keys() - reasons.keys()),
    )


def recipe(settings: FilterSettings, parts: Mapping[str, str]) -> dict[str, Any]:
    """What goes into a joint corpus' key: the settings, and the keys of the sources' corpora by name."""
    return {**settings.keyed(), "parts": dict(parts)}


@stage(Corpus, version=1, parents=(DocsSnapshot,), recipe=recipe, card=corpus_card, bar="join")
def join_corpora(
    target: Target, snapshot: DocsSnapshot, parts: dict[str, Target], settings: FilterSettings
) -> Corpus:
    """Put the corpora of several sources into one, without the copies that they have of each other."""
    folders = {name: target.fetch(Corpus.from_json(part.made())) for name, part in parts.items()}
    with target.building() as folder:
        counts = join_files(folders, folder, settings)
        return target.commit(folder, Corpus, asdict(counts), of=[snapshot])
