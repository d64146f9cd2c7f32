"""What the command prints: tables for a person, one JSON object for a program."""

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from tasks.cards import figures, rounded
from tasks.models.published import Version
from tasks.records import short_commit, short_name
from tasks.store.care import FolderReport, Leftover

if TYPE_CHECKING:  # which bring Prefect and Arrow along, and most commands need neither
    from flows.several import SeveralSettings
    from tasks.run.each import Outcome
    from tasks.run.plan import Plan
    from tasks.run.summary import RunSummary

OUT = Console(highlight=False, width=None if sys.stdout.isatty() else 120)


def print_json(value: Any) -> None:
    """Exactly one JSON object on standard output."""
    sys.stdout.write(json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def show_plan(plan: "Plan", *, as_json: bool) -> None:
    """Each stage, whether it is reused, and why."""
    if as_json:
        stages = {
            name: {"action": target.action, "why": target.why, "key": target.key, "uri": target.uri}
            for name, target in plan.targets.items()
        }
        print_json({"run_key": plan.run_key, "name": plan.name, "store": plan.store_url, "stages": stages})
        return
    OUT.print(f"[bold]{plan.name}[/] into {plan.store_url}\n")
    table = _table("stage", "action", "why", "key")
    for target in plan.targets.values():
        colour = "green" if target.action == "reuse" else "yellow"
        table.add_row(target.stage, f"[{colour}]{target.action}[/]", target.why, target.key[:12])
    OUT.print(table)


def show_summary(summary: "RunSummary", *, as_json: bool) -> None:
    """The end of a run: what ran, the corpus, the figures, filled masks, and what to type next."""
    if as_json:
        print_json(summary.as_json())
        return
    OUT.print(f"\n[bold]{summary.name}[/] into {summary.store}\n")
    stages = _table("stage", "", "seconds", "why")
    for name, stage in summary.stages.items():
        action = "[green]reused[/]" if stage["reused"] else "[yellow]ran[/]"
        stages.add_row(name, action, f"{stage['seconds']:.1f}", stage["why"])
    show(stages)
    show_corpus(summary)
    show_figures(summary)
    if summary.fill_samples:
        samples = _table("held-out text", "was", "before", "after")
        for sample in summary.fill_samples:
            samples.add_row(
                _escape(sample["text"]),
                sample["answer"],
                *(_top(sample[when]) for when in ("before", "after")),
            )
        show(samples)
    place = summary.model["uri"].removeprefix("file://")
    OUT.print(f"Model     [bold]{place}[/]\nVersion   {summary.model['version']}\n\nNext:")
    OUT.print(f'  docs-mlm predict --store {summary.store} "The \\[MASK] is ready."')
    OUT.print(f"  docs-mlm models --store {summary.store}")


def show_corpus(summary: "RunSummary") -> None:
    """How many documents were found, kept and dropped, and why."""
    corpus = _table("documents", "count")
    corpus.add_row("found", f"{summary.documents['found']:,}")
    for reason, count in sorted(summary.documents["dropped_by_reason"].items()):
        corpus.add_row(f"  dropped: {reason.replace('_', ' ')}", f"{count:,}")
    corpus.add_row("[bold]kept[/]", f"[bold]{summary.documents['kept']:,}[/]")
    tokens = summary.tokens
    corpus.add_row("tokens", f"{tokens['corpus']:,} (train {tokens['train']:,}, held out {tokens['eval']:,})")
    corpus.add_row("coverage", f"{tokens['coverage']:.1%} of the training text in one epoch")
    show(corpus)


def show_figures(summary: "RunSummary") -> None:
    """Held-out loss, perplexity and accuracy before and after training."""
    training, before, after = summary.training, summary.eval["before"], summary.eval["after"]
    if before and after:
        measured = _table("held out", "before", "after")
        for figure, old, new in figures(before, after):
            measured.add_row(figure.short, format(old, figure.rounded), format(new, figure.rounded))
        show(measured)
    speed = f"{training['tokens_per_second']:,.0f} tokens/s on {training['device']}"
    OUT.print(f"{training['global_step']:,} steps at {speed}\n")


def show_outcomes(outcomes: "list[Outcome]", settings: "SeveralSettings", *, as_json: bool) -> None:
    """How each of several sources ended, and what to type next."""
    if as_json:
        ended = [asdict(outcome) | {"completed": outcome.completed} for outcome in outcomes]
        print_json({"store": settings.store, "corpus": settings.corpus, "sources": ended})
        return
    table = _table("source", "ended as", "run", "why")
    for outcome in outcomes:
        colour = "green" if outcome.completed else "red"
        state = f"[{colour}]{_escape(outcome.state)}[/]"
        table.add_row(_escape(outcome.name), state, _escape(outcome.run), _escape(outcome.message))
    OUT.print()
    show(table)
    OUT.print(f"Next:\n  docs-mlm models --store {settings.store}")


def show_predictions(text: str, masks: list[list[tuple[str, float]]], *, as_json: bool = False) -> None:
    """The likeliest tokens for each mask of a text."""
    if as_json:
        filled = [[{"token": token, "probability": score} for token, score in mask] for mask in masks]
        print_json({"text": text, "masks": filled})
        return
    OUT.print(_escape(text) + "\n")
    for number, predictions in enumerate(masks, 1):
        table = _table(f"mask {number}" if len(masks) > 1 else "mask", "probability")
        for token, score in predictions:
            table.add_row(_escape(token), f"{score:.1%}")
        show(table)


def show_follows(text: str, probability: float, *, as_json: bool = False) -> None:
    """Whether a text follows another one."""
    if as_json:
        print_json({"next": text, "probability": probability, "follows": probability >= 0.5})
        return
    answer = "[green]follows[/]" if probability >= 0.5 else "[yellow]does not follow[/]"
    OUT.print(f"{_escape(text)}\n\n{answer} (probability that it does: {probability:.1%})")


def show_versions(versions: list[Version], store: str, *, as_json: bool) -> None:
    """The published versions, newest last."""
    if as_json:
        print_json({"store": store, "models": [asdict(version) for version in versions]})
        return
    if not versions:
        OUT.print(f"No model is published in {store} yet: make one with `docs-mlm run` or `docs-mlm demo`.")
        return
    table = _table("version", "source", "commit", "documents", "steps", "loss before", "after", "accuracy")
    for version in versions:
        table.add_row(
            version.version,
            short_name(version.source),
            short_commit(version.commit_sha),
            f"{version.documents:,}",
            f"{version.steps:,}",
            rounded(version.loss_before, ".3f"),
            rounded(version.loss_after, ".3f"),
            rounded(version.accuracy, ".1%"),
        )
    OUT.print(table)
    OUT.print(f"Newest: {versions[-1].uri}")


def show_reports(reports: list[FolderReport], store: str, *, as_json: bool) -> None:
    """What re-hashing found, the folder asked for first and then what it was made of."""
    if as_json:
        whole = all(report.state != "damaged" for report in reports) and reports[0].state == "intact"
        print_json({"store": store, "intact": whole, "folders": [asdict(report) for report in reports]})
        return
    colours = {"intact": "green", "damaged": "red", "missing": "yellow"}
    table = _table("stored folder", "", "files", "MB", "")
    for report in reports:
        found = [*report.problems, *(f"{name} belongs to nothing" for name in report.unlisted)]
        state = f"[{colours[report.state]}]{report.state}[/]"
        size = f"{report.bytes / 1e6:,.1f}"
        place = report.uri.removeprefix(f"{store}/")
        table.add_row(place, state, f"{report.files:,}", size, _escape("; ".join(found)))
    OUT.print(table)


def show_leftovers(found: list[Leftover], store: str, *, removed: bool, as_json: bool) -> None:
    """What crashed runs left behind."""
    if as_json:
        print_json({"store": store, "removed": removed, "leftovers": [asdict(left) for left in found]})
        return
    table = _table("left over", "", "files", "MB", "hours old")
    for left in found:
        size, age = f"{left.bytes / 1e6:,.1f}", f"{left.age_s / 3600:,.1f}"
        table.add_row(left.uri.removeprefix(f"{store}/"), left.kind, f"{left.files:,}", size, age)
    if found:
        show(table)
    total = sum(left.bytes for left in found) / 1e6
    OUT.print(
        f"{len(found)} left over in {store}, {total:,.1f} MB" + (": deleted" if removed and found else "")
    )


def show(table: Table) -> None:
    """A table and the space after it."""
    OUT.print(table)
    OUT.print()


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="dim")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _top(predictions: list[str]) -> str:
    return ", ".join(_escape(token) for token in predictions[:3])


def _escape(text: str) -> str:
    return text.replace("[", "\\[")
