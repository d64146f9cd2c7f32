"""What a person sees of a run, as Markdown made from records: figures, tables, and texts made harmless."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tasks.records import TrainedModel

_WIDEST = 90


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


def rounded(value: float | None, form: str) -> str:
    """A figure in its format, or a dash where it was not measured."""
    return "–" if value is None else format(value, form)


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> str:
    """A Markdown table; `right` are the columns that are aligned to the right."""
    rule = "|".join("---:" if column in right else "---" for column in range(len(head)))
    return "\n".join([f"| {' | '.join(head)} |", f"|{rule}|", *(f"| {' | '.join(row)} |" for row in rows)])


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
