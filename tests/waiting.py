"""Waiting for what happens, never for a clock: a busy machine takes its time, and only an end is an end."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
PAUSE, LONGEST_PAUSE = 0.05, 0.5
"""Seconds between two looks, at first and after some seconds: who looks too often keeps the machine busy."""


def until(happened: Callable[[], T], *, goes_on: Callable[[], bool] = lambda: True) -> T:
    """What `happened` returns once it is true; pytest's own limit ends a wait for what never comes.

    Args:
        goes_on: whether it still may happen: whether the process that is waited for lives.

    Raises:
        AssertionError: it did not, and no longer can.
    """
    pause = PAUSE
    while True:
        going = goes_on()
        if found := happened():
            return found
        if not going:
            raise AssertionError("this did not happen, and what it was waited for has ended")
        time.sleep(pause)
        pause = min(LONGEST_PAUSE, 1.1 * pause)
