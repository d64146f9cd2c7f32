"""Signals are noted at first, obeyed at the end, and after that are as they were."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from multiprocessing.connection import Connection

import pytest

from tasks.training.processes.interrupt import (
    STOPS,
    StopRequest,
    delayed_stop,
    stand_aside,
    starting_helpers,
)


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


def test_a_second_sigterm_is_the_first_one_again() -> None:
    """From the group and from the parent it comes twice: it is raised once, when the work is done."""
    heard, worked, request = [], [], StopRequest()
    before = signal.signal(signal.SIGTERM, lambda number, _frame: heard.append(number))

    def work() -> None:
        with delayed_stop(request):
            for _ in range(2):
                signal.raise_signal(signal.SIGTERM)
                worked.append(list(heard))

    try:
        with pytest.raises(KeyboardInterrupt):
            work()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert worked == [[], []]
    assert heard == [signal.SIGTERM]


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


FIRST_HELPER = """
import multiprocessing, signal, time
from tasks.training.processes.interrupt import STOPS, starting_helpers
with starting_helpers():
    helper = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(0,))
    helper.start()
    print(signal.pthread_sigmask(signal.SIG_BLOCK, ()) >= set(STOPS))
helper.join()
print(signal.pthread_sigmask(signal.SIG_BLOCK, ()) & set(STOPS))
"""


def test_the_first_helper_unblocks_nothing() -> None:
    """Python's resource tracker unblocks both signals when it starts, so it must have started before."""
    found = subprocess.run(
        [sys.executable, "-c", FIRST_HELPER], capture_output=True, text=True, check=True
    ).stdout.split()
    assert found == ["True", "set()"]


def tell_signals(answer: Connection) -> None:
    """In a helper: say which signals are blocked and which group it is in, before and after it moves."""
    told = []
    for step in (lambda: None, lambda: stand_aside(0)):
        step()
        told.append((signal.pthread_sigmask(signal.SIG_BLOCK, ()) & set(STOPS), os.getpgid(0)))
    answer.send(told)


def test_a_helper_hears_nothing_until_it_stands_aside() -> None:
    """It starts with both signals blocked, and then hears them in a group of its own that nobody signals."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    helper = context.Process(target=tell_signals, args=(theirs,))
    with starting_helpers():
        helper.start()
    (blocked, group), (blocked_later, group_later) = ours.recv()
    helper.join()
    assert (blocked, group) == (set(STOPS), os.getpgid(0))
    assert (blocked_later, group_later) == (set(), helper.pid)
