"""SIGTERM and Ctrl-C, heard but not obeyed at once: the step is finished and saved first."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

from tasks.machine import starting_deaf

STOPS = (signal.SIGTERM, signal.SIGINT)


@dataclass(slots=True)
class StopRequest:
    """Whether a signal has asked the run to stop, and which."""

    signal: int | None = None


@contextmanager
def delayed_stop(request: StopRequest) -> Iterator[None]:
    """Within, the first SIGTERM or SIGINT is only noted in `request`, and raised again at the end.

    A Ctrl-C after it is not held back. SIGTERM is: who signals a process group is heard twice by a process
    whose parent passes on what it heard. Outside the main thread, where Python takes no signals, nothing is
    changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before: dict[int, Any] = {}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)

    def note(number: int, _frame: FrameType | None) -> None:
        request.signal = request.signal or number
        signal.signal(signal.SIGINT, before[signal.SIGINT] or signal.SIG_DFL)

    for number in STOPS:
        before[number] = signal.signal(number, note)
    try:
        yield
    finally:
        restore()
    if request.signal is not None:
        signal.raise_signal(request.signal)
        raise KeyboardInterrupt


def starting_helpers() -> AbstractContextManager[None]:
    """Within, processes are started that hear no SIGTERM and no SIGINT before they call `stand_aside`.

    The step that is to be finished when one of them comes still needs its data workers then.
    """
    return starting_deaf(*STOPS)


def stand_aside(_worker: int) -> None:
    """In a data worker: leave the process group that is signalled; the worker ends with its parent."""
    os.setsid()
    for number in signal.sigpending().intersection(STOPS):
        signal.sigwait({number})
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
