"""Signals are noted at first, obeyed at the end, and after that are as they were."""

import signal
import threading

import pytest

from tasks.training.processes.interrupt import STOPS, StopRequest, delayed_stop


def handlers() -> list[object]:
    """Who hears the signals now."""
    return [signal.getsignal(number) for number in STOPS]


def test_without_a_signal_everything_is_as_before() -> None:
    """Work that ends by itself leaves the handlers that it found, and so does work that fails."""
    before, request = handlers(), StopRequest()
    with delayed_stop(request):
        assert handlers() != before
    assert (handlers(), request.signal) == (before, None)
    with pytest.raises(ValueError, match="mistake"), delayed_stop(request):
        raise ValueError("mistake")
    assert handlers() == before


@pytest.mark.parametrize("times", [1, 2])
def test_the_first_is_noted_and_the_second_is_not(times: int) -> None:
    """The work goes on after the first Ctrl-C, which is raised at its end; the second one ends it at once."""
    before, request, worked = handlers(), StopRequest(), []

    def work() -> None:
        with delayed_stop(request):
            for _ in range(times):
                signal.raise_signal(signal.SIGINT)
                worked.append(request.signal)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert worked == [signal.SIGINT]
    assert handlers() == before


def test_another_thread_changes_nothing() -> None:
    """Outside the main thread, which alone takes signals, the handlers stay."""
    before, seen = handlers(), []

    def work() -> None:
        with delayed_stop(StopRequest()):
            seen.append(handlers())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]
