"""The runs that a run has started, each in a process of its own: their start, their end, and what is told.

Who cancels in the Prefect UI, and whatever kills a process, knows of one run alone, be it the parent or a
child. So a child ends when its parent is gone, with a checkpoint; a parent that is cancelled has its children
end as cancelled; and a child that is cancelled is stopped by its parent, which waits for it.
"""

import os
import signal
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from multiprocessing import parent_process
from multiprocessing.connection import wait
from typing import Any, Protocol

from httpx import HTTPError
from prefect import Flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas import FlowRun
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterParentFlowRunId
from prefect.exceptions import PrefectException
from prefect.runtime import flow_run
from prefect.states import Cancelled, Crashed

from tasks.machine import starting_deaf
from tasks.stage.cancelling import BY_ITSELF, WITH_PARENT, is_cancelled

GRACE_SECONDS = 27.0
"""How long children may take to save once this run is asked to stop: SIGKILL follows SIGTERM after 30."""
HEARD_SECONDS = 1.0
"""Who signals a whole process group asked the children too: those that end at once are not asked again."""
GONE = "Its process ended without a word."
WATCH_SECONDS = 5.0
"""Time between two looks at whether a child is to be cancelled."""


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


def start_run(flow: Flow[..., Any], parameters: dict[str, Any]) -> Child:
    """Start `flow` in a process of its own, as a child of this run, on this run's server.

    What does it is a function that Prefect's runners use: not marked as private, and documented nowhere.
    """
    from prefect.flow_engine import run_flow_in_subprocess

    with get_client(sync_client=True) as client:
        server = str(client.api_url).rstrip("/")
    watched = flow.with_options(on_running=[end_with_parent])
    with starting_deaf(), environment_with("PREFECT_API_URL", server):
        return run_flow_in_subprocess(watched, parameters=parameters)


def end_with_parent(flow: Flow[..., Any], flow_run: FlowRun, state: Any) -> None:
    """In a child, from when it runs on: if its parent is gone, the child is asked to stop."""
    parent = parent_process()
    if parent is None:
        return

    def stop_after() -> None:
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=stop_after, daemon=True).start()


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


def stop(processes: Collection[Child]) -> None:
    """Ask all to stop, and give them time to save; who interrupts again has no such time."""
    began = time.monotonic()
    end = began + GRACE_SECONDS
    try:
        while any(process.is_alive() for process in processes) and time.monotonic() < began + HEARD_SECONDS:
            time.sleep(0.05)
        for process in processes:
            process.terminate()
        for process in processes:
            process.join(max(0.0, end - time.monotonic()))
    except KeyboardInterrupt:
        for process in processes:
            process.kill()
        raise


class CancelledChildren:
    """Asks the children to stop that someone has cancelled: nobody else knows their processes."""

    def __init__(self) -> None:
        self._looked = time.monotonic()
        self._stopped: set[str] = set()

    def stop(self, running: Mapping[str, Child]) -> None:
        """Look now and then, and stop each once; `running` has them by their tags."""
        if time.monotonic() - self._looked < WATCH_SECONDS:
            return
        self._looked = time.monotonic()
        try:
            with get_client(sync_client=True) as client:
                found = newest_children(client)
        except (HTTPError, PrefectException):
            return  # the next look may reach the server
        for tag in running.keys() & found.keys() - self._stopped:
            state = found[tag].state
            if state is not None and (state.is_cancelling() or state.is_cancelled()):
                self._stopped.add(tag)
                running[tag].terminate()


def all_children(client: SyncPrefectClient) -> list[FlowRun]:
    """The runs that this run has started, the oldest first, of earlier attempts too."""
    chosen = FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[flow_run.id]))
    found: list[FlowRun] = []
    while page := client.read_flow_runs(flow_run_filter=chosen, limit=200, offset=len(found)):
        found += page
    return sorted(found, key=lambda run: str(run.created))


def newest_children(client: SyncPrefectClient) -> dict[str, FlowRun]:
    """The last run of each tag."""
    return {tag: run for run in all_children(client) for tag in run.tags}


def close_children() -> None:
    """Let no child look as if it ran whose process has ended: cancelled if someone did that, else crashed.

    To be called when no process of theirs is left: before the first is started, and when all have ended.
    """
    with get_client(sync_client=True) as client:
        newest = {run.id for run in newest_children(client).values()}
        whole = is_cancelled(client, flow_run.id)
        for run in all_children(client):
            if run.state is None:
                continue
            stopped = not run.state.is_final() or (run.state.is_crashed() and run.id in newest)
            if run.state.is_cancelling() and not whole:
                client.set_flow_run_state(run.id, Cancelled(message=BY_ITSELF), force=True)
            elif whole and stopped:
                client.set_flow_run_state(run.id, Cancelled(message=WITH_PARENT), force=True)
            elif not run.state.is_final():
                client.set_flow_run_state(run.id, Crashed(message=GONE), force=True)
