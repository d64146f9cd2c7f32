"""A cancelled run ends as cancelled, although its training answered SIGTERM later than Prefect expects.

Prefect 3.8 tells a run's process that it is being cancelled just before SIGTERM, and the process takes note
only while Prefect's own handler is in place. Training puts its own there, to finish a step and save it first;
the signal that it then passes on would look like that of a dying machine. The run would end as crashed, and
the automation that resumes crashed runs would start a cancelled one again.
"""

from httpx import HTTPError
from prefect.client.orchestration import get_client
from prefect.exceptions import PrefectException
from prefect.runtime import flow_run


def note_cancellation() -> None:
    """If the server has this run as being cancelled, let Prefect's engine know, before it asks itself why.

    There is no public way to say so: `control_listener` is Prefect's own, what is used of it is tested in
    `tests/tasks/stage/test_cancelling.py`, and `tests/deployments` cancels a real run.
    """
    from prefect._internal import control_listener

    if flow_run.id is None or control_listener.get_intent() is not None:
        return
    try:
        with get_client(sync_client=True) as client:
            state = client.read_flow_run(flow_run.id).state
    except (HTTPError, PrefectException):
        return  # an unreachable server cannot be told anything either
    if state is not None and (state.is_cancelling() or state.is_cancelled()):
        control_listener._set_intent("cancel")
