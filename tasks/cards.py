"""What a person sees of a run, as Markdown made from records: figures, tables, and texts made harmless."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from tasks.records import TrainedModel

UNSAFE = re.compile(
    "[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069\\ud800-\\udfff]"
)
"""What moves a cursor, colours a terminal, turns the direction of writing, or is half a character."""
_WIDEST = 90
_LANGUAGES = 6
"""Languages that are named; the rest are others."""
_BARE_PIPE = re.compile(r"(?<!\\)((?:\\\\)*)\|")
_LINE_BEGIN = re.compile(r"^(\d*)([-+=.)])")
"""What makes a list or a heading of a line."""


class Figure(NamedTuple):
    """A held-out figure: what it is called, and how it is written."""

    metric: str
    """Its name in records."""
    short: str
    """Its name where there is little room."""
    label: str
    """Its name with its unit."""
    rounded: str
    """Its format where there is little room."""
    exact: str


FIGURES = (
    Figure("loss", "loss", "loss (nats a masked token)", ".3f", ".4f"),
    Figure("loss_error", "± loss", "standard error of the loss, over documents", ".3f", ".4f"),
    Figure("perplexity", "perplexity", "perplexity", ",.1f", ",.2f"),
    Figure("accuracy", "accuracy", "accuracy of masked tokens", ".1%", ".1%"),
    Figure("nsp_accuracy", "NSP accuracy", "accuracy of next sentences", ".1%", ".1%"),
    Figure("sop_accuracy", "SOP accuracy", "accuracy of sentence order", ".1%", ".1%"),
)
"""In the order in which they are shown, wherever that is."""


def figures(
    before: dict[str, float] | None, after: dict[str, float] | None
) -> Iterator[tuple[Figure, float, float]]:
    """Each figure that was measured both before and after training."""
    for figure in FIGURES:
        if before and after and figure.metric in before and figure.metric in after:
            yield figure, before[figure.metric], after[figure.metric]


def figures_table(trained: TrainedModel, *, plain: bool = False) -> str:
    """Held-out figures before and after.

    Args:
        plain: by the metrics' own names and to four digits, for whoever reads the model card.
    """
    after = trained.eval_after
    if trained.eval_before is None or after is None:
        return f"No documents were held out. Training loss at the end: {trained.loss:.4f}."
    rows = [
        (figure.metric, f"{old:.4g}", f"{new:.4g}")
        if plain
        else (figure.label, format(old, figure.exact), format(new, figure.exact))
        for figure, old, new in figures(trained.eval_before, after)
    ]
    head = (f"held out ({after['masked_tokens']:,.0f} masked tokens)", "before", "after")
    return table(head, rows, right=() if plain else (1, 2))


def documents_rows(documents: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What became of the documents, and what they are: names and figures, those that say nothing left out.

    Args:
        documents: the figures of `Corpus` and of `DocsSnapshot`, by their names.
    """
    found, kept = documents["found"], documents["kept"]
    dropped = sorted(documents["dropped_by_reason"].items(), key=lambda one: (-one[1], one[0]))
    rows = [("found", f"{found:,}")]
    rows += [(f"dropped: {reason.replace('_', ' ')}", _of(count, found)) for reason, count in dropped]
    rows += [("kept", _of(kept, found)), ("held out", _of(documents.get("eval_documents", 0), kept, "kept"))]
    if near := documents.get("near_documents"):
        rows.append(("near copies of one another", f"{near:,} in {documents['near_groups']:,} groups"))
    if languages := documents.get("languages"):
        frequent = sorted(languages.items(), key=lambda one: (-one[1], one[0]))
        more = [("others", sum(count for _, count in frequent[_LANGUAGES:]))] if frequent[_LANGUAGES:] else []
        rows.append(("by language", ", ".join(f"{code} {n:,}" for code, n in frequent[:_LANGUAGES] + more)))
    if lines := documents.get("boilerplate_lines"):
        taken = f"{lines:,} lines, {documents['boilerplate_characters']:,} characters"
        rows.append(("boilerplate taken out", taken))
    for ending, count in documents.get("unread", {}).items():
        rows.append(("not read", f"{count:,} {ending} files: --source.include"))
    if submodules := documents.get("submodules"):
        rows.append(("not read", f"{submodules:,} submodules: give each as a source of its own"))
    return rows


def _of(count: int, whole: int, name: str = "") -> str:
    share = f"{count / whole:.1%}" if whole else "–"
    return f"{count:,} ({share}{f' of {name}' if name else ''})"


def rounded(value: float | None, form: str) -> str:
    """A figure in its format, or a dash where it was not measured."""
    return "–" if value is None else format(value, form)


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> str:
    """A Markdown table of cells in Markdown; `right` are the columns that are aligned to the right.

    A cell stays a cell, whatever line breaks and bars it holds.
    """
    rule = "|".join("---:" if column in right else "---" for column in range(len(head)))
    lines = (" | ".join(_BARE_PIPE.sub(r"\1\\|", " ".join(cell.split())) for cell in row) for row in rows)
    return "\n".join([f"| {' | '.join(head)} |", f"|{rule}|", *(f"| {line} |" for line in lines)])


def printable(value: str) -> str:
    """`value` without what would do more in a terminal or a browser than be read."""
    return UNSAFE.sub("�", value)


def code(value: str) -> str:
    """A path or name as Markdown code, whatever characters it holds."""
    shown = "".join(c if c.isprintable() else "�" for c in value).replace("`", "'")
    return f"`{shown or ' '}`"


def block(value: str, language: str = "") -> str:
    """Lines of code as a fenced block, whatever fences they hold."""
    longest = max((len(run) for run in re.findall("`+", value)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{printable(value)}\n{fence}"


def text(value: str) -> str:
    """A text as it may stand in a sentence or a table's cell: one line, and no markup of its own."""
    return re.sub(r"[\\`*_\[\]<>|&~#$]", r"\\\g<0>", printable(" ".join(value.split())))


def quote(value: str) -> str:
    """A text as a quotation of one line; what is long is cut around its [MASK]."""
    line = " ".join(value.split())
    line = line if len(line) <= _WIDEST or "[MASK]" not in line else _around_mask(line)
    return "> " + _LINE_BEGIN.sub(r"\1\\\2", text(line))


def _around_mask(line: str) -> str:
    middle = line.index("[MASK]")
    start = max(0, min(middle - _WIDEST // 2, len(line) - _WIDEST))
    cut = line[start : start + _WIDEST]
    return ("… " if start else "") + cut + (" …" if start + _WIDEST < len(line) else "")
