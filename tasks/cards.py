"""What a person sees of a run in the Prefect UI, as Markdown made from records; no network, no Prefect."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from tasks.loss_curve import loss_curve
from tasks.published import Version
from tasks.records import Corpus, TrainedModel, short_commit, short_name
from tasks.stage import Step

_SAMPLES = 5
_WIDEST = 90


def corpus_card(step: Step, corpus: Corpus) -> str:
    """How many documents were found, kept and dropped, and some that were dropped, by reason."""
    dropped = dropped_by_reason(step) if corpus.dropped_by_reason else {}
    rows = [("found", corpus.found, 1.0)]
    for reason, count in sorted(corpus.dropped_by_reason.items(), key=lambda entry: -entry[1]):
        rows.append((f"dropped: {_words(reason)}", count, count / max(corpus.found, 1)))
    rows.append(("**kept**", corpus.kept, corpus.kept / max(corpus.found, 1)))
    rows.append(("of these held out", corpus.eval_documents, corpus.eval_documents / max(corpus.found, 1)))
    counts = [f"| {name} | {count:,} | {share:.1%} |" for name, count, share in rows]
    parts = ["| documents | count | share of found |", "|---|---:|---:|", *counts, ""]
    parts.append(f"{corpus.characters:,} characters of text are kept.")
    for reason, paths in sorted(dropped.items()):
        more = corpus.dropped_by_reason.get(reason, len(paths)) - len(paths[:_SAMPLES])
        shown = [f"- {code(path)}" for path in paths[:_SAMPLES]]
        shown += [f"- … and {more:,} more"] if more > 0 else []
        parts += ["", f"**Dropped as {_words(reason)}**", "", *shown]
    return "\n".join(parts)


def dropped_by_reason(step: Step) -> dict[str, list[str]]:
    """The paths of dropped documents by reason, or nothing where the store has no such folder any more."""
    paths: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        stored = step.store.fetch_file(step.uri, "dropped.parquet", Path(folder))
        if stored is not None:
            for row in pq.read_table(stored, columns=["path", "reason"]).to_pylist():
                paths.setdefault(row["reason"], []).append(row["path"])
    return paths


def training_card(trained: TrainedModel) -> str:
    """How the training went: figures, then the loss curve."""
    before, after = trained.eval_before or {}, trained.eval_after or {}
    curve = loss_curve(trained.history, eval_before=before.get("loss"), eval_after=after.get("loss"))
    resumed = f", resumed at step {trained.resumed_from_step:,}" if trained.resumed_from_step else ""
    return f"""{eval_table(trained)}

{trained.global_step:,} steps{resumed}, {trained.tokens_per_second:,.0f} tokens/s on {trained.device} \
({trained.precision}); at most {trained.peak_memory_bytes / 1e9:.1f} GB of memory.

{curve}
"""


def eval_table(trained: TrainedModel) -> str:
    """Held-out loss, perplexity and accuracy before and after."""
    before, after = trained.eval_before, trained.eval_after
    if before is None or after is None:
        return f"No documents were held out. Training loss at the end: {trained.loss:.4f}."
    rows = [
        f"| {name} | {format(before[metric], form)} | {format(after[metric], form)} |"
        for metric, name, form in (
            ("loss", "loss (nats a masked token)", ".4f"),
            ("perplexity", "perplexity", ",.2f"),
            ("accuracy", "accuracy of masked tokens", ".1%"),
            ("nsp_accuracy", "accuracy of next sentences", ".1%"),
            ("sop_accuracy", "accuracy of sentence order", ".1%"),
        )
        if metric in before and metric in after
    ]
    masked = f"{after['masked_tokens']:,.0f}"
    return "\n".join([f"| held out ({masked} masked tokens) | before | after |", "|---|---:|---:|", *rows])


def masks_card(samples: Sequence[dict[str, Any]]) -> str:
    """Held-out sentences with one token masked, and what the model guessed before and after."""
    if not samples:
        return "No documents were held out, so there is nothing to guess."
    shown = []
    for sample in samples:
        answer = sample["answer"]
        before, after = _guesses(sample["before"], answer), _guesses(sample["after"], answer)
        shown += [
            f"> {text(sample['text'])}",
            "",
            f"It was **{code(answer)}**; guessed before: {before}; after: {after}",
            "",
        ]
    return "\n".join(shown)


def versions_table(versions: Sequence[Version], last: int = 10) -> str:
    """The newest published versions side by side, the newest first."""
    rows = [
        f"| {_loss(v.loss_before)} | {_loss(v.loss_after)} "
        f"| {'–' if v.accuracy is None else format(v.accuracy, '.1%')} | {v.steps:,} | {v.documents:,} "
        f"| {text(short_name(v.source))}@{short_commit(v.commit_sha)} | `{v.version}` |"
        for v in reversed(versions[-last:])
    ]
    head = "| loss before | after | accuracy | steps | documents | source | version |"
    return "\n".join([head, "|---:|---:|---:|---:|---:|---|---|", *rows])


def code(value: str) -> str:
    """A path or name as Markdown code, whatever characters it holds."""
    shown = "".join(c if c.isprintable() else "�" for c in value).replace("`", "'")
    return f"`{shown}`"


def text(value: str) -> str:
    """A text as it may stand in a table's cell: one line, and no markup of its own."""
    line = " ".join(value.split())
    line = line if len(line) <= _WIDEST or "[MASK]" not in line else _around_mask(line)
    for char in "\\`*_[]<>|":
        line = line.replace(char, "\\" + char)
    return line


def _around_mask(line: str) -> str:
    middle = line.index("[MASK]")
    start = max(0, min(middle - _WIDEST // 2, len(line) - _WIDEST))
    cut = line[start : start + _WIDEST]
    return ("… " if start else "") + cut + (" …" if start + _WIDEST < len(line) else "")


def _guesses(tokens: Sequence[str], answer: str) -> str:
    return ", ".join(f"**{code(t)}**" if t == answer else code(t) for t in tokens[:3])


def _words(reason: str) -> str:
    return reason.replace("_", " ")


def _loss(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
