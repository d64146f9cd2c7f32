"""Ctrl-C and SIGTERM: the run saves a checkpoint, tells Prefect, and ends with the signal's exit code."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn


class Terminated(KeyboardInterrupt):
    """SIGTERM, which stops a run as Ctrl-C does."""


def exit_code_of(stop: KeyboardInterrupt) -> int:
    """The exit code that a shell expects after the signal."""
    return 128 + (signal.SIGTERM if isinstance(stop, Terminated) else signal.SIGINT)


@contextmanager
def stoppable() -> Iterator[None]:
    """Within, SIGTERM raises `Terminated` instead of ending the process without a word."""

    def terminate(_number: int, _frame: FrameType | None) -> NoReturn:
        raise Terminated

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    except BaseException as end:
        # A run that was cancelled in the UI: Prefect then passes its own kind of SIGTERM on.
        prefect = sys.modules.get("prefect.exceptions")
        if prefect is not None and isinstance(end, prefect.TerminationSignal):
            raise Terminated from end
        raise
    finally:
        signal.signal(signal.SIGTERM, before)
