"""What became of the documents, for the Prefect UI."""

import tempfile
from pathlib import Path

import pyarrow.parquet as pq

from tasks.cards import code
from tasks.records import Corpus
from tasks.stage.target import Target

_SAMPLES = 5


def corpus_card(target: Target, corpus: Corpus) -> str:
    """How many documents were found, kept and dropped, and some that were dropped, by reason."""
    dropped = dropped_by_reason(target) if corpus.dropped_by_reason else {}
    rows = [("found", corpus.found, 1.0)]
    for reason, count in sorted(corpus.dropped_by_reason.items(), key=lambda entry: -entry[1]):
        rows.append((f"dropped: {words(reason)}", count, count / max(corpus.found, 1)))
    rows.append(("**kept**", corpus.kept, corpus.kept / max(corpus.found, 1)))
    rows.append(("of these held out", corpus.eval_documents, corpus.eval_documents / max(corpus.found, 1)))
    counts = [f"| {name} | {count:,} | {share:.1%} |" for name, count, share in rows]
    parts = ["| documents | count | share of found |", "|---|---:|---:|", *counts, ""]
    parts.append(f"{corpus.characters:,} characters of text are kept.")
    for reason, paths in sorted(dropped.items()):
        more = corpus.dropped_by_reason.get(reason, len(paths)) - len(paths[:_SAMPLES])
        shown = [f"- {code(path)}" for path in paths[:_SAMPLES]]
        shown += [f"- … and {more:,} more"] if more > 0 else []
        parts += ["", f"**Dropped as {words(reason)}**", "", *shown]
    return "\n".join(parts)


def dropped_by_reason(target: Target) -> dict[str, list[str]]:
    """The paths of dropped documents by reason, or nothing where the store has no such folder any more."""
    paths: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        stored = target.store.fetch_file(target.uri, Corpus.DROPPED, Path(folder))
        if stored is not None:
            for row in pq.read_table(stored, columns=["path", "reason"]).to_pylist():
                paths.setdefault(row["reason"], []).append(row["path"])
    return paths


def words(reason: str) -> str:
    """A reason as a person reads it."""
    return reason.replace("_", " ")
