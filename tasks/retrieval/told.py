"""What the probes came to, as Markdown: tables, queries before and after, and a sentence of advice.

The model's card and the report are built of the same functions.
"""

from __future__ import annotations

from typing import Any

from tasks.cards import code, quote, rounded, table, text
from tasks.records import EvaluatedModel
from tasks.retrieval.probe import ALL, PRIMARY

KINDS = {
    "title": "titles",
    "heading": "headings",
    "anchor": "links",
    "description": "descriptions",
    ALL: "all",
}
"""Kinds of queries, as columns are called."""
SYSTEMS = {
    "bm25": "BM25 (words)",
    "mlm_base": "masked-language model before",
    "base": "model before",
    "adapted": "adapted model, mean pooling",
    "retrieval": "retrieval model",
    "hybrid_mlm_base": "BM25 + masked-language model before",
    "hybrid_base": "BM25 + model before",
    "hybrid_adapted": "BM25 + adapted model",
    "hybrid": "BM25 + the last of these",
}
"""Systems, as rows are called."""
PROBES = {
    "general": ("loss on general text (nats a masked token)", ".4f"),
    "domain_words": ("accuracy at the domain's own words", ".1%"),
    "tags": ("accuracy of a linear probe", ".1%"),
}
"""The other probes: what they are called, and how their figures are written."""
_UNASKED = "No retrieval was measured"


def retrieval_table(record: EvaluatedModel) -> str:
    """nDCG@10 with its 95 % interval: systems down, kinds of queries across, the best of each in bold."""
    systems = systems_of(record)
    if not systems:
        return f"{_UNASKED}: {text(record.not_measured.get('retrieval', 'it was not asked for'))}."
    kinds = [kind for kind in KINDS if kind in systems["bm25"]]
    best = {
        kind: max(figures[kind][PRIMARY] for figures in systems.values() if kind in figures) for kind in kinds
    }
    rows = []
    for name, figures in systems.items():
        cells = (_cell(figures.get(kind), best[kind]) for kind in kinds)
        rows.append((f"{code(name)} {SYSTEMS.get(name, '')}".strip(), *cells))
    asked = systems["bm25"]
    head = ["nDCG@10", *(f"{KINDS[kind]} ({asked[kind]['queries']:,})" for kind in kinds)]
    return table(head, rows, right=range(1, len(head)))


def systems_of(record: EvaluatedModel) -> dict[str, dict[str, Any]]:
    """The figures of each system, by kind of query; none where retrieval was not measured."""
    return {name: found for name, found in (record.retrieval or {}).items() if name != "paired"}


def difference(record: EvaluatedModel, system: str, over: str) -> dict[str, Any] | None:
    """How far a system's nDCG@10 of all queries is above another's, where that was compared."""
    for pair in (record.retrieval or {}).get("paired", ()):
        if (pair["system"], pair["over"]) == (system, over):
            found: dict[str, Any] = pair[ALL]
            return found
    return None


def advice(record: EvaluatedModel) -> str:
    """Which model to use for what, and whether the adaptation paid, in plain sentences."""
    systems = systems_of(record)
    if not systems:
        return f"{_UNASKED}, so there is no advice on what to search with. {_masks(record)}".strip()
    best, value = record.best, systems[record.best][ALL][PRIMARY]
    words = systems["bm25"][ALL][PRIMARY]
    if best == "bm25":
        use = f"To find things use {code('bm25')}: no model found more (nDCG@10 {value:.2f})."
    else:
        gain = difference(record, best, "bm25")
        beside = f"nDCG@10 {value:.2f} beside BM25's {words:.2f}"
        use = f"To find things use {code(best)}: {beside}{f' ({_by(gain)})' if gain else ''}."
    return f"{use} {paid(record)} {_masks(record)}".strip()


def paid(record: EvaluatedModel) -> str:
    """Whether what was trained finds more than what it began from, and how sure that is."""
    systems = systems_of(record)
    system = "retrieval" if "retrieval" in systems else "adapted"
    over = "mlm_base" if system == "adapted" and "mlm_base" in systems else "base"
    found = difference(record, system, over)
    if found is None:
        return "Whether the adaptation paid for finding things is not known: there is no model before."
    against = f"{code(system)} over the model before: nDCG@10 {_by(found)}"
    if found["low"] is None:
        return f"One document was asked about, which does not show whether the adaptation paid ({against})."
    if found["low"] > 0:
        return f"The adaptation paid: {against}."
    if found["high"] < 0:
        return f"The adaptation made it worse: {against}."
    return f"It was not shown that the adaptation paid, as the interval includes 0: {against}."


def samples_listed(record: EvaluatedModel) -> str:
    """Queries of held-out documents, with the first hit before and after."""
    shown = []
    for sample in record.samples:
        kind = KINDS.get(sample["kind"], sample["kind"]).removesuffix("s")
        shown.append(f"**{text(sample['query'])}** ({kind} of {code(sample['path'])})\n")
        shown.append(f"- before: {_hit(sample['before'])}\n- after: {_hit(sample['after'])}\n")
    return "\n".join(shown).rstrip()


def probes_table(record: EvaluatedModel) -> str:
    """The other probes before and after, and what was not measured."""
    rows = []
    for name, (label, form) in PROBES.items():
        found = getattr(record, name)
        if found is not None:
            figures = (rounded(found["before"], form), rounded(found["after"], form))
            rows.append((f"{label}{_of(name, found)}", *figures, _apart(found, form)))
    lines = [table(("probe", "before", "after", "difference"), rows, right=(1, 2, 3))] if rows else []
    lines += [
        f"- not measured: {text(SYSTEMS.get(name, name.replace('_', ' ')))}: {text(reason)}"
        for name, reason in record.not_measured.items()
    ]
    return "\n\n".join([*lines[: len(rows) > 0], "\n".join(lines[len(rows) > 0 :])]).strip()


def _cell(found: dict[str, Any] | None, best: float) -> str:
    if found is None:
        return "–"
    value = f"{found[PRIMARY]:.3f}"
    span = "" if found["low"] is None else f" ({found['low']:.2f}–{found['high']:.2f})"
    return f"{f'**{value}**' if found[PRIMARY] >= best else value}{span}"


def _by(found: dict[str, Any]) -> str:
    """A difference of nDCG@10 with its interval, in words."""
    value = f"{found[PRIMARY]:+.2f}"
    if found["low"] is None:
        return f"{value}, of one document"
    return f"{value}, 95 % interval {found['low']:.2f} to {found['high']:.2f}"


def _apart(found: dict[str, Any], form: str) -> str:
    if found["difference"] is None:
        return "–"
    value = format(found["difference"], f"+{form}")
    if found["low"] is None:
        return value
    return f"{value} ({format(found['low'], f'+{form}')} to {format(found['high'], f'+{form}')})"


def _of(name: str, found: dict[str, Any]) -> str:
    """What a probe's figures are of."""
    if name == "general":
        return f", {found['masked_tokens']:,} masked tokens"
    if name == "domain_words":
        return f", {found['words']:,} masked words"
    return f": {text(found['field'])} of {found['documents']:,} documents, {found['classes']:,} classes"


def _masks(record: EvaluatedModel) -> str:
    """What the adaptation did for filling masks: the domain's words, and what was forgotten."""
    told = []
    if (found := record.domain_words) and found["low"] is not None:
        if found["low"] > 0:
            told.append(
                f"it knows more of the domain's own words ({found['before']:.0%} → {found['after']:.0%})"
            )
        elif found["high"] < 0:
            told.append(
                f"it knows fewer of the domain's words ({found['before']:.0%} → {found['after']:.0%})"
            )
    if (found := record.general) and found["low"] is not None and found["low"] > 0:
        told.append(f"its loss on general text rose by {found['difference']:.2f}")
    return f"For filling masks: {', but '.join(told) if len(told) > 1 else told[0]}." if told else ""


def _hit(hit: dict[str, Any] | None) -> str:
    """A first hit in a line."""
    if hit is None:
        return "nothing was found"
    right = "right" if hit["right"] else "not the answer"
    heading = f", {text(hit['heading'])}" if hit["heading"] else ""
    return f"{code(hit['path'])}{heading} ({right}): {quote(hit['text']).removeprefix('> ')}"
