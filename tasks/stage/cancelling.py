"""A cancelled run ends as cancelled, although its training answered SIGTERM later than Prefect expects.

Prefect 3.8 tells a run's process that it is being cancelled just before SIGTERM, and the process takes note
only while Prefect's own handler is in place. Training puts its own there, to finish a step and save it first;
the signal that it then passes on would look like that of a dying machine. The run would end as crashed, and
the automation that resumes crashed runs would start a cancelled one again. A run that another started, in a
process of its own, is told nothing at all: who cancels asks the other.
"""

from httpx import HTTPError
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.exceptions import PrefectException
from prefect.runtime import flow_run
from prefect.states import Cancelled

WITH_PARENT = "The run that it is part of was cancelled."
BY_ITSELF = "The run was cancelled; the one that it is part of goes on."


def note_cancellation() -> None:
    """If the server has this run, or its parent, as being cancelled, let Prefect's engine know in time.

    There is no public way to say so: `control_listener` is Prefect's own, what is used of it is tested in
    `tests/tasks/stage/test_cancelling.py`, and `tests/deployments` cancels real runs.
    """
    from prefect._internal import control_listener

    if flow_run.id is None or control_listener.get_intent() is not None:
        return
    try:
        with get_client(sync_client=True) as client:
            parent = flow_run.parent_flow_run_id
            with_parent = parent is not None and is_cancelled(client, parent)
            if not with_parent and not is_cancelled(client, flow_run.id):
                return
            if parent is not None:
                # The engine leaves that to a runner, and a child has none.
                message = WITH_PARENT if with_parent else BY_ITSELF
                client.set_flow_run_state(flow_run.id, Cancelled(message=message), force=True)
    except (HTTPError, PrefectException):
        return  # an unreachable server cannot be told anything either
    control_listener._set_intent("cancel")


def is_cancelled(client: SyncPrefectClient, run: str) -> bool:
    """Whether the server has this run as being cancelled, or as cancelled."""
    state = client.read_flow_run(run).state  # type: ignore[arg-type]  # as a string it does as well
    return state is not None and (state.is_cancelling() or state.is_cancelled())
