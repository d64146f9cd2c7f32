"""The same flow on several sources: a process each, so many at once, and one's failure is its own.

A process each, because a stage hears SIGTERM in its process's main thread only, and because memory that one
run asks for and does not get ends that run alone.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from httpx import HTTPError
from prefect import Flow, tags
from prefect.artifacts import create_markdown_artifact
from prefect.client.orchestration import get_client
from prefect.exceptions import PrefectException, TerminationSignal
from prefect.runtime import flow_run

from tasks.cards import table, text
from tasks.clone_docs.git.urls import safe_name
from tasks.clone_docs.settings import SourceSettings
from tasks.errors import DocsMlmError
from tasks.records import short_name
from tasks.run.children import CancelledChildren, Child, close_children, newest_children, start_run, stop
from tasks.stage.cancelling import note_cancellation
from tasks.stage.log import stage_logger

_POLL = 0.5
REUSED = "its documents are in the store"
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How the run of one source ended."""

    name: str
    run: str
    """The run's own name in the Prefect UI."""
    state: str
    message: str

    @property
    def completed(self) -> bool:
        """Whether a model was published, or found."""
        return self.state == "Completed"


class SourcesFailed(DocsMlmError):
    """Some sources did not complete; the others did."""

    def __init__(self, message: str, outcomes: list[Outcome]) -> None:
        super().__init__(message)
        self.outcomes = outcomes
        """How each source ended, the others too."""


def run_each(flow: Flow[..., Any], runs: dict[str, dict[str, Any]], *, at_once: int) -> list[Outcome]:
    """Run `flow` once for each name in `runs` with its parameters, `at_once` processes at a time.

    Must be called in a flow run, whose children the runs become. How each ended, whatever that was.
    """
    cancelled = CancelledChildren()

    def start(name: str) -> Child:
        stage_logger().info("Starting %s", name)
        with tags(_tag(name)):
            return start_run(flow, runs[name])

    def watch(running: dict[str, Child]) -> None:
        cancelled.stop({_tag(name): child for name, child in running.items()})

    if (flow_run.run_count or 1) > 1:
        close_children()  # those of an attempt that crashed
    try:
        in_turn(list(runs), start, at_once=at_once, watch=watch)
    except (KeyboardInterrupt, TerminationSignal):
        note_cancellation()
        raise
    finally:
        with suppress(HTTPError, PrefectException):  # what ended the runs is not to be hidden
            close_children()
    return _outcomes(list(runs))


def without_failed(items: dict[str, T], ended: list[Outcome]) -> dict[str, T]:
    """Those of `items` whose source has not failed.

    Raises:
        SourcesFailed: all have.
    """
    failed = {outcome.name for outcome in ended if not outcome.completed}
    left = {name: item for name, item in items.items() if name not in failed}
    if not left:
        check_outcomes(ended)
    return left


def all_outcomes(names: Iterable[str], ended: list[Outcome]) -> list[Outcome]:
    """How each of the sources ended, those too for which nothing had to be run."""
    known = {outcome.name: outcome for outcome in ended}
    return [
        known.get(name) or Outcome(name=name, run="–", state="Completed", message=REUSED) for name in names
    ]


def show_outcomes(outcomes: list[Outcome]) -> None:
    """An artifact that says how each source ended."""
    create_markdown_artifact(outcome_table(outcomes), key="sources", description="How each source ended")


def check_outcomes(outcomes: list[Outcome], *, made: str = "") -> None:
    """See that no source failed; `made` says what became of those that did not.

    Raises:
        SourcesFailed: some did not complete; it names each with its reason.
    """
    if failed := [outcome for outcome in outcomes if not outcome.completed]:
        reasons = "\n".join(f"{outcome.name}: {outcome.state} ({outcome.message})" for outcome in failed)
        raise SourcesFailed(f"{len(failed)} of {len(outcomes)} sources failed{made}:\n{reasons}", outcomes)


def source_label(source: SourceSettings) -> str:
    """What a person calls a source, before anything is known of it; never a password."""
    if source.url is not None:
        return short_name(safe_name(source.url))
    place = source.checkout or source.folder or source.json_file
    return place.name if place else "no source"


def in_turn(
    names: list[str],
    start: Callable[[str], Child],
    *,
    at_once: int,
    watch: Callable[[dict[str, Child]], None] = lambda _running: None,
) -> None:
    """Start a process for each name, so many at once, and wait for all; when interrupted, stop them first."""
    waiting, running = deque(names), dict[str, Child]()
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                name = waiting.popleft()
                running[name] = start(name)
            time.sleep(_POLL)
            running = {name: process for name, process in running.items() if process.is_alive()}
            watch(running)
    finally:
        stop(running.values())


def outcome_table(outcomes: list[Outcome]) -> str:
    """How each source ended, as a Markdown table."""
    rows = [
        tuple(map(text, (outcome.name, outcome.state, outcome.run, outcome.message))) for outcome in outcomes
    ]
    return table(("source", "ended as", "run", "why"), rows)


def _outcomes(names: list[str]) -> list[Outcome]:
    """The last state of each child run, as the server has it."""
    with get_client(sync_client=True) as client:
        by_tag = newest_children(client)
    outcomes = []
    for name in names:
        run = by_tag.get(_tag(name))
        state = run.state if run else None
        outcomes.append(
            Outcome(
                name=name,
                run=run.name if run else "–",
                state=state.name or state.type.value if state else "Not started",
                message=(state.message or "") if state else "its process did not come up",
            )
        )
    return outcomes


def _tag(name: str) -> str:
    return f"source: {name}"
