"""What the command prints: tables for a person, one JSON object for a program.

Every text, path, name and reason is printed as it is: it is never taken for markup, and what would move a
terminal's cursor or cannot be written in its encoding is replaced.
"""

import json
import shlex
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tasks.cards import UNSAFE, documents_rows, printable, rounded
from tasks.models.published import Version
from tasks.records import EmbeddedModel, TrainedModel, short_commit, short_name
from tasks.store.care import FolderReport, Leftover

if TYPE_CHECKING:  # which bring Prefect and Arrow along, and most commands need neither
    from flows.several import SeveralSettings
    from tasks.run.each import Outcome
    from tasks.run.plan import Plan
    from tasks.run.summary import RunSummary


class _PlainConsole(Console):
    """Prints strings as they are; only what is a `Text` has a style."""

    def __init__(self) -> None:
        width = None if sys.stdout.isatty() else 120
        super().__init__(highlight=False, markup=False, emoji=False, width=width)

    def render_str(self, text: str, **options: Any) -> Text:
        """Make `text`, which is all of a line or of a table's cell, harmless."""
        return super().render_str(self.writable(text), **options)

    def writable(self, text: str) -> str:
        """`text` without what the terminal would obey or its encoding lacks."""
        return printable(text).encode(self.encoding, "replace").decode(self.encoding)


OUT = _PlainConsole()


def print_json(value: Any) -> None:
    """Exactly one JSON object on standard output."""
    shown = json.dumps(value, indent=1, ensure_ascii=False)
    shown = UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", shown)
    try:
        shown.encode(OUT.encoding)
    except UnicodeEncodeError:  # as the terminal's encoding may not have every letter
        shown = json.dumps(value, indent=1)
    sys.stdout.write(shown + "\n")


def show_plan(plan: "Plan", *, as_json: bool) -> None:
    """Each stage, whether it is reused, and why."""
    if as_json:
        stages: dict[str, dict[str, Any]] = {
            name: {"action": target.action, "why": target.why, "key": target.key, "uri": target.uri}
            for name, target in plan.targets.items()
        }
        for training in {TrainedModel.stage, EmbeddedModel.stage} & stages.keys():
            stages[training]["resumed_from_step"] = plan.targets[training].first_step
        named = {"run_key": plan.run_key, "name": plan.name, "line": plan.line.slug}
        print_json(named | {"line_name": plan.line.name, "store": plan.store_url, "stages": stages})
        return
    print_name(plan.name, plan.store_url)
    table = new_table("stage", "action", "why", "key")
    for target in plan.targets.values():
        colour = "green" if target.action == "reuse" else "yellow"
        table.add_row(target.stage, styled(target.action, colour), target.why, target.key[:12])
    OUT.print(table)


def show_corpus(summary: "RunSummary") -> None:
    """How many documents were found, kept and dropped, and why."""
    corpus = new_table("documents", "count")
    add_documents(corpus, summary.documents)
    tokens = summary.tokens
    corpus.add_row("tokens", f"{tokens['corpus']:,} (train {tokens['train']:,}, held out {tokens['eval']:,})")
    corpus.add_row("coverage", f"{tokens['coverage']:.1%} of the training text in one epoch")
    if pieces := tokens.get("pieces_per_word"):
        corpus.add_row("vocabulary", f"{pieces:.2f} pieces a word, {tokens['unknown_share']:.2%} unknown")
    show(corpus)


def add_documents(table: Table, documents: dict[str, Any]) -> None:
    """Rows for what became of the documents, and what they are."""
    for name, value in documents_rows(documents):
        indented = "  " if name.startswith("dropped") else ""
        table.add_row(f"{indented}{name}", value, style="bold" if name == "kept" else None)


def show_outcomes(outcomes: "list[Outcome]", settings: "SeveralSettings", *, as_json: bool) -> None:
    """How each of several sources ended, and what to type next."""
    if as_json:
        ended = [asdict(outcome) | {"completed": outcome.completed} for outcome in outcomes]
        print_json({"store": settings.store, "corpus": settings.corpus, "sources": ended})
        return
    table = new_table("source", "ended as", "run", "why")
    for outcome in outcomes:
        colour = "green" if outcome.completed else "red"
        table.add_row(outcome.name, styled(outcome.state, colour), outcome.run, outcome.message)
    OUT.print()
    show(table)
    print_commands(shlex.join(["docs-mlm", "models", "--store", settings.store]))


def show_predictions(text: str, masks: list[list[tuple[str, float]]], *, as_json: bool = False) -> None:
    """The likeliest tokens for each mask of a text."""
    if as_json:
        filled = [[{"token": token, "probability": score} for token, score in mask] for mask in masks]
        print_json({"text": text, "masks": filled})
        return
    OUT.print(text + "\n")
    for number, predictions in enumerate(masks, 1):
        table = new_table(f"mask {number}" if len(masks) > 1 else "mask", "probability")
        for token, score in predictions:
            table.add_row(token, f"{score:.1%}")
        show(table)


def show_follows(text: str, probability: float, *, as_json: bool = False) -> None:
    """Whether a text follows another one."""
    if as_json:
        print_json({"next": text, "probability": probability, "follows": probability >= 0.5})
        return
    answer = styled("follows", "green") if probability >= 0.5 else styled("does not follow", "yellow")
    OUT.print(text + "\n")
    OUT.print(Text.assemble(answer, f" (probability that it does: {probability:.1%})"))


def show_versions(versions: list[Version], store: str, *, as_json: bool) -> None:
    """The published versions by their lines, as only those of one line are compared; the newest last."""
    if as_json:
        print_json({"store": store, "models": [asdict(version) for version in versions]})
        return
    if not versions:
        OUT.print(f"No model is published in {store} yet: make one with `docs-mlm run` or `docs-mlm demo`.")
        return
    newest = {version.line: version for version in versions}
    last = versions[-1].line
    for line in sorted(newest, key=lambda line: newest[line].version):
        name = styled(newest[line].line_name, "bold")
        OUT.print(Text.assemble(name, OUT.writable(f"   --model {line}")), soft_wrap=True)
        show_line([version for version in versions if version.line == line])
        OUT.print(f"Newest: {newest[line].uri}", soft_wrap=True)
        if line != last:
            OUT.print()


def show_line(versions: list[Version]) -> None:
    """The versions of one line."""
    table = new_table("version", "source", "commit", "documents", "steps", "loss before", "after", "accuracy")
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


def show_reports(reports: list[FolderReport], store: str, *, as_json: bool) -> None:
    """What re-hashing found, the folder asked for first and then what it was made of."""
    if as_json:
        whole = all(report.state != "damaged" for report in reports) and reports[0].state == "intact"
        print_json({"store": store, "intact": whole, "folders": [asdict(report) for report in reports]})
        return
    colours = {"intact": "green", "damaged": "red", "missing": "yellow"}
    table = new_table("stored folder", "", "files", "MB", "")
    for report in reports:
        found = [*report.problems, *(f"{name} belongs to nothing" for name in report.unlisted)]
        state = styled(report.state, colours[report.state])
        size = f"{report.bytes / 1e6:,.1f}"
        place = report.uri.removeprefix(f"{store}/")
        table.add_row(place, state, f"{report.files:,}", size, "; ".join(found))
    OUT.print(table)


def show_leftovers(found: list[Leftover], store: str, *, removed: bool, as_json: bool) -> None:
    """What crashed runs left behind."""
    if as_json:
        print_json({"store": store, "removed": removed, "leftovers": [asdict(left) for left in found]})
        return
    table = new_table("left over", "", "files", "MB", "hours old")
    for left in found:
        size, age = f"{left.bytes / 1e6:,.1f}", f"{left.age_s / 3600:,.1f}"
        table.add_row(left.uri.removeprefix(f"{store}/"), left.kind, f"{left.files:,}", size, age)
    if found:
        show(table)
    total = sum(left.bytes for left in found) / 1e6
    OUT.print(
        f"{len(found)} left over in {store}, {total:,.1f} MB" + (": deleted" if removed and found else "")
    )


def may_delete(found: list[Leftover], store: str, *, as_json: bool) -> bool:
    """Whether the person at the terminal lets the leftovers go, once they were shown."""
    if not as_json:
        show_leftovers(found, store, removed=False, as_json=False)
    # On standard error, for standard output may be a program's.
    sys.stderr.write(f"Delete these {len(found)} in {store}? [y/N] ")
    sys.stderr.flush()
    if allowed := sys.stdin.readline().strip().lower() in ("y", "yes"):
        return allowed
    sys.stderr.write("Nothing was deleted.\n")
    return False


def show(table: Table) -> None:
    """A table and the space after it."""
    OUT.print(table)
    OUT.print()


def new_table(*columns: str) -> Table:
    """A table without lines, with these heads."""
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="dim")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def top(predictions: list[str]) -> str:
    """The first guesses of a list."""
    return ", ".join(predictions[:3])


def styled(text: str, style: str) -> Text:
    """A harmless text in a style."""
    return Text(OUT.writable(text), style)


def print_name(name: str, store: str) -> None:
    """A run, and where its results go."""
    OUT.print(Text.assemble(styled(name, "bold"), OUT.writable(f" into {store}\n")))


def print_commands(first: str) -> None:
    """What to type next."""
    # Not folded at the terminal's width: a line break within would be another command.
    OUT.print(f"Next:\n  {first}", soft_wrap=True)
