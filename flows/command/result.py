"""What a run came to, in a terminal: what ran, the figures, what the models find, and what to type next."""

import shlex
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from flows.command.display import (
    OUT,
    new_table,
    print_commands,
    print_json,
    print_name,
    show,
    show_corpus,
    styled,
    top,
)
from tasks.cards import figures
from tasks.retrieval.probe import ALL, PRIMARY
from tasks.run.suggestion import suggest
from tasks.store.urls import shown

if TYPE_CHECKING:
    from tasks.run.summary import RunSummary


def show_summary(summary: "RunSummary", *, as_json: bool) -> None:
    """The end of a run: what ran, the corpus, the figures, filled masks, and what to type next."""
    if as_json:
        print_json(summary.as_json())
        return
    OUT.print()
    print_name(summary.name, summary.store)
    stages = new_table("stage", "", "seconds", "why")
    for name, stage in summary.stages.items():
        action = styled("reused", "green") if stage["reused"] else styled("ran", "yellow")
        stages.add_row(name, action, f"{stage['seconds']:.1f}", stage["why"])
    show(stages)
    show_corpus(summary)
    show_figures(summary)
    show_found(summary)
    if summary.fill_samples:
        samples = new_table("held-out text", "was", "before", "after")
        for sample in summary.fill_samples:
            samples.add_row(sample["text"], sample["answer"], *map(top, (sample["before"], sample["after"])))
        show(samples)
    place = shown(summary.model["uri"])
    OUT.print(Text.assemble("Model     ", styled(place, "bold")), soft_wrap=True)
    OUT.print(f"Version   {summary.model['version']}\n")
    show_next(summary)


def show_next(summary: "RunSummary") -> None:
    """What to type next: a mask that training learnt to fill, with its guesses before and after."""
    which = () if summary.newest else ("--model", summary.model["version"])
    command, sample = suggest(summary.fill_samples, "--store", summary.store, *which)
    print_commands(command)
    if sample is not None:
        guesses = f"before: {top(sample['before'])}; after: {top(sample['after'])}"
        OUT.print(f"    where {sample['answer']} was; {guesses}", soft_wrap=True)
    OUT.print("  " + search_command(summary), soft_wrap=True)
    OUT.print("  " + shlex.join(["docs-mlm", "models", "--store", summary.store]), soft_wrap=True)


def show_figures(summary: "RunSummary") -> None:
    """Held-out loss, perplexity and accuracy before and after training."""
    training, before, after = summary.training, summary.eval["before"], summary.eval["after"]
    if before and after:
        measured = new_table("held out", "before", "after")
        for figure, old, new in figures(before, after):
            measured.add_row(figure.short, format(old, figure.rounded), format(new, figure.rounded))
        show(measured)
    speed = f"{training['tokens_per_second']:,.0f} tokens/s on {training['device']}"
    OUT.print(f"{training['global_step']:,} steps at {speed}\n")


def show_found(summary: "RunSummary") -> None:
    """How well each system finds what held-out queries ask for, where that was measured."""
    if not (retrieval := summary.probes.get("retrieval")):
        return
    table = new_table("finding passages", *columns_of(retrieval["bm25"]))
    add_systems(table, retrieval)
    show(table)
    if summary.advice:
        OUT.print(summary.advice.replace("`", "") + "\n")


def columns_of(found: dict[str, Any]) -> list[str]:
    """The kinds of queries that were asked, all of them last."""
    return [*(kind for kind in found if kind != ALL), ALL]


def add_systems(table: Table, retrieval: dict[str, Any]) -> None:
    """A row for each system: nDCG@10 by kind, and its interval over all; the best in bold."""
    systems = {name: found for name, found in retrieval.items() if name != "paired"}
    best = max(found[ALL][PRIMARY] for found in systems.values())
    for name, found in systems.items():
        cells = [
            f"{found[kind][PRIMARY]:.3f}" if kind in found else "–" for kind in columns_of(retrieval["bm25"])
        ]
        low, high = found[ALL]["low"], found[ALL]["high"]
        span = "" if low is None else f" ({low:.2f}–{high:.2f})"
        bold = "bold" if found[ALL][PRIMARY] == best else None
        table.add_row(name, *cells[:-1], cells[-1] + span, style=bold)


def search_command(summary: "RunSummary") -> str:
    """How to search the documents of this run's model."""
    which = [] if summary.newest else ["--model", summary.model["version"]]
    return shlex.join(["docs-mlm", "search", "--store", summary.store, *which, summary.question])
