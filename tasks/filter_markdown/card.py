"""What became of the documents, and some of them to look at, for the Prefect UI."""

import tempfile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from tasks.cards import code, documents_rows, table, text
from tasks.filter_markdown.dropping import sides_warning
from tasks.filter_markdown.look import Look, side_by_side
from tasks.records import Corpus, DocsSnapshot
from tasks.stage.target import Target

_SAMPLES = 5
_WIDTH = 56
"""Characters of a document's line: the UI wraps no cell, and a longer first column hides the second."""


def corpus_card(target: Target, corpus: Corpus) -> str:
    """How many documents were found, kept and dropped, what they are, and some before and after cleaning."""
    parts = [table(("documents", ""), documents_rows(figures(target, corpus)), right=(1,))]
    parts += ["", f"{corpus.characters:,} characters of text are kept."]
    share = target.settings.get("eval_fraction", 0)
    if warning := sides_warning(corpus.kept, corpus.eval_documents, corpus.largest_group, share):
        parts += ["", f"**Mind:** {warning}."]
    parts += look_card(look_of(target), corpus)
    dropped = dropped_by_reason(target) if corpus.dropped_by_reason else {}
    for reason, paths in sorted(dropped.items()):
        more = corpus.dropped_by_reason.get(reason, len(paths)) - len(paths[:_SAMPLES])
        shown = [f"- {code(path)}" for path in paths[:_SAMPLES]]
        shown += [f"- … and {more:,} more"] if more > 0 else []
        parts += ["", f"**Dropped as {words(reason)}**", "", *shown]
    return "\n".join(parts)


def figures(target: Target, corpus: Corpus) -> dict[str, Any]:
    """The figures of the corpus, and of the documents that it was made of."""
    manifest = target.store.manifest(target.uri)
    snapshot = manifest.ancestors.get(DocsSnapshot.stage, {}) if manifest else {}
    return corpus.as_json() | {name: snapshot[name] for name in ("unread", "submodules") if name in snapshot}


def look_card(look: Look, corpus: Corpus) -> list[str]:
    """Marks that are left, near copies, boilerplate, and documents before and after cleaning."""
    parts: list[str] = []
    if look.residue:
        marks = [
            (code(mark), f"{left['marks']:,}", f"{left['documents']:,}")
            for mark, left in look.residue.items()
        ]
        head = ("mark", "times", "documents")
        parts += ["", "**Marks that are left in prose**", "", table(head, marks, right=(1, 2))]
    if look.groups:
        parts += ["", f"**Near copies**: the largest of {corpus.near_groups:,} groups", ""]
        for group in look.groups:
            parts.append(f"- {group['documents']:,}: {', '.join(map(code, group['paths']))}")
    if look.boilerplate:
        lines = [(code(line[:200]), f"{count:,}") for line, count in look.boilerplate.items()]
        parts += [
            "",
            "**Boilerplate that was taken out**",
            "",
            table(("line", "documents"), lines, right=(1,)),
        ]
    for sample in look.samples:
        pairs = [(text(raw), text(kept)) for raw, kept in side_by_side(sample, _WIDTH)]
        parts += ["", f"**{code(sample.path)}** before and after", "", table(("as found", "as kept"), pairs)]
    return parts


def look_of(target: Target) -> Look:
    """What there is to see of a corpus, or nothing where the store has no such file any more."""
    with tempfile.TemporaryDirectory() as folder:
        stored = target.store.fetch_file(target.uri, Corpus.LOOK, Path(folder))
        return Look() if stored is None else Look.read(stored)


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
