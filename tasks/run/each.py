"""The same flow on several sources: a process each, so many at once, and one's failure is its own.

A process each, because a stage hears SIGTERM in its process's main thread only, and because memory that one
run asks for and does not get ends that run alone.
"""

import os
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from prefect import Flow, tags
from prefect.artifacts import create_markdown_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterParentFlowRunId
from prefect.runtime import flow_run

from tasks.cards import table, text
from tasks.clone_docs.git.urls import safe_name
from tasks.clone_docs.settings import SourceSettings
from tasks.errors import DocsMlmError
from tasks.machine import starting_deaf
from tasks.records import short_name
from tasks.stage.log import stage_logger

GRACE_SECONDS = 28.0
"""How long children may take to save once this run is asked to stop: SIGKILL follows SIGTERM after 30."""
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


class Child(Protocol):
    """A started process, as much of it as is needed here."""

    def is_alive(self) -> bool:
        """Whether it has not ended yet."""

    def join(self, timeout: float | None = None) -> None:
        """Wait for its end, so many seconds."""

    def terminate(self) -> None:
        """Ask it to stop."""

    def kill(self) -> None:
        """Stop it."""


def run_each(flow: Flow[..., Any], runs: dict[str, dict[str, Any]], *, at_once: int) -> list[Outcome]:
    """Run `flow` once for each name in `runs` with its parameters, `at_once` processes at a time.

    Must be called in a flow run, whose children the runs become. How each ended, whatever that was.
    """

    def start(name: str) -> Child:
        stage_logger().info("Starting %s", name)
        with tags(_tag(name)):
            return start_run(flow, runs[name])

    in_turn(list(runs), start, at_once=at_once)
    return _outcomes(list(runs))


def start_run(flow: Flow[..., Any], parameters: dict[str, Any]) -> Child:
    """Start `flow` in a process of its own, as a child of this run, on this run's server.

    What does it is a function that Prefect's runners use: not marked as private, and documented nowhere.
    """
    from prefect.flow_engine import run_flow_in_subprocess

    with get_client(sync_client=True) as client:
        server = str(client.api_url).rstrip("/")
    with starting_deaf(), environment_with("PREFECT_API_URL", server):
        return run_flow_in_subprocess(flow, parameters=parameters)


@contextmanager
def environment_with(name: str, value: str) -> Iterator[None]:
    """Within, processes are started that find this in their environment.

    Where no server is set this process has a temporary one, and each child would start another. Told of it by
    Prefect alone, once the child has begun, its threads would not know: they log to the server that the
    process began with.
    """
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


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


def in_turn(names: list[str], start: Callable[[str], Child], *, at_once: int) -> None:
    """Start a process for each name, so many at once, and wait for all; when interrupted, stop them first."""
    waiting, running = deque(names), dict[str, Child]()
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                name = waiting.popleft()
                running[name] = start(name)
            time.sleep(_POLL)
            running = {name: process for name, process in running.items() if process.is_alive()}
    finally:
        stop(running.values())


def stop(processes: Collection[Child]) -> None:
    """Ask all to stop, and give them time to save; who interrupts again has no such time."""
    for process in processes:
        process.terminate()
    end = time.monotonic() + GRACE_SECONDS
    try:
        for process in processes:
            process.join(max(0.0, end - time.monotonic()))
    except KeyboardInterrupt:
        for process in processes:
            process.kill()
        raise


def outcome_table(outcomes: list[Outcome]) -> str:
    """How each source ended, as a Markdown table."""
    rows = [
        tuple(map(text, (outcome.name, outcome.state, outcome.run, outcome.message))) for outcome in outcomes
    ]
    return table(("source", "ended as", "run", "why"), rows)


def _outcomes(names: list[str]) -> list[Outcome]:
    """The last state of each child run, as the server has it."""
    children = FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[flow_run.id]))
    with get_client(sync_client=True) as client:
        found = client.read_flow_runs(flow_run_filter=children)
    by_tag = {tag: run for run in found for tag in run.tags}
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
