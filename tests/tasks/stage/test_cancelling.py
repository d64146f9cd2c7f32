"""What is relied on of Prefect to end a cancelled run as cancelled, though training took the signal first."""

import signal

import pytest
from prefect import flow
from prefect._internal import control_listener
from prefect.client.orchestration import get_client
from prefect.exceptions import TerminationSignal
from prefect.runtime import flow_run
from prefect.states import Cancelling

from tasks.stage.cancelling import note_cancellation

pytestmark = pytest.mark.usefixtures("prefect_server")


@pytest.fixture(autouse=True)
def _as_it_was():
    """A run that crashes passes its signal on to who heard it before; nothing is left for the next run."""
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGTERM, before)
    control_listener.clear_intent()


def stopped(*, cancelled: bool, noted: bool) -> str:
    """The state of a run that SIGTERM stopped, after a user cancelled it or not."""
    ids = []

    @flow(persist_result=False)
    def stop() -> None:
        ids.append(flow_run.id)
        if cancelled:
            with get_client(sync_client=True) as client:
                client.set_flow_run_state(flow_run.id, Cancelling(), force=True)
        if noted:
            note_cancellation()
        raise TerminationSignal(signal=signal.SIGTERM)

    with pytest.raises(TerminationSignal):
        stop()
    with get_client(sync_client=True) as client:
        return str(client.read_flow_run(ids[0]).state.name)


def test_a_cancelled_run_ends_as_cancelled():
    """Prefect's engine asks its control listener for the intent once the signal is there, and believes it."""
    assert control_listener.get_intent() is None
    assert stopped(cancelled=True, noted=True) == "Cancelled"


def test_without_a_word_to_the_engine_it_would_count_as_crashed():
    """This is why the word is needed: when it is not any more, `note_cancellation` can go."""
    assert stopped(cancelled=True, noted=False) == "Crashed"


def test_a_run_that_nobody_cancelled_crashes():
    """SIGTERM alone is that of a dying machine, and the run is to be resumed."""
    assert stopped(cancelled=False, noted=True) == "Crashed"
    assert control_listener.get_intent() is None


def test_outside_a_run_nothing_is_said():
    """Without a run there is nothing to cancel, and no server is asked."""
    note_cancellation()
    assert control_listener.get_intent() is None
