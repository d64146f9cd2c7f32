"""Where the network is at fault a task is tried again, after longer and longer waits, and each wait is said.

A night's run should outlast the reboot of a router or of a Git server, and nobody at a terminal should wait
for minutes without knowing for what. Prefect sleeps in the main thread: Ctrl-C and SIGTERM end it.
"""

import math
import os
import random
import re
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from prefect import Task, task

from tasks.errors import NetworkError, StoreError, UnknownHostError, UserError
from tasks.stage.log import stage_logger

P = ParamSpec("P")
R = TypeVar("R")

WAITS = (5.0, 15.0, 45.0, 120.0, 240.0)
"""Seconds before each further try, seven minutes in all."""
VARIABLE = "DOCS_MLM_RETRY_WAITS"
"""Names other waits, such as `5, 15, 45`: as many seconds as there are to be tries."""
_MOST_WAITS = 50
_JITTER = 0.2
"""Each wait is longer or shorter by up to this part, so that many runs do not come back at once."""
TRIES_OF_A_NAME = 2
"""Further tries for a host of unknown name, where a person watches who may have misspelt it."""


def retried(work: Callable[P, R]) -> Callable[P, R]:
    """A function whose calls are Prefect tasks, tried again where the network is at fault."""

    @wraps(work)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        made: Any = as_task(work, name=work.__name__, description=work.__doc__)
        result: R = made(*args, **kwargs)
        return result

    return call


def as_task(work: Callable[..., Any], *, name: str, description: str | None) -> Task[..., Any]:
    """`work` as a Prefect task for one call, tried again where the network is at fault.

    Raises:
        UserError: the waits that the environment names cannot be read.
    """
    waits = [wait * random.uniform(1 - _JITTER, 1 + _JITTER) for wait in chosen_waits()]
    tried = iter(range(len(waits)))

    def worth_another_try(_task: Any, _run: Any, state: Any) -> bool:
        error, number = state.result(raise_on_failure=False), next(tried)
        most = tries_after(error, len(waits), watched=sys.stderr.isatty())
        if number >= most:
            return False
        stop = "; Ctrl-C stops" if sys.stderr.isatty() else ""
        stage_logger().warning(
            "Trying again in %.0f s, %d of %d%s: %s", waits[number], number + 1, most, stop, error
        )
        return True

    make = task(
        name=name,
        description=description,
        retries=len(waits),
        retry_delay_seconds=waits,
        retry_condition_fn=worth_another_try,
    )
    return make(work)


def tries_after(error: object, most: int, *, watched: bool) -> int:
    """How many further tries, of `most`, an error is worth in all; `watched` if a person sees it.

    None where the store was away: each request to it has been tried again for minutes.
    """
    if not isinstance(error, NetworkError) or isinstance(error, StoreError):
        return 0
    return min(most, TRIES_OF_A_NAME) if watched and isinstance(error, UnknownHostError) else most


def chosen_waits() -> tuple[float, ...]:
    """The seconds between tries, as the environment names them, or else as they are here.

    Raises:
        UserError: they cannot be read.
    """
    named = os.environ.get(VARIABLE)
    if named is None:
        return WAITS
    try:
        waits = tuple(float(word) for word in re.split(r"[,\s]+", named) if word)
    except ValueError:
        waits = (math.nan,)
    if len(waits) > _MOST_WAITS or not all(0 <= wait < math.inf for wait in waits):
        raise UserError(
            f"{VARIABLE} is {named!r}: give at most {_MOST_WAITS} seconds, such as "
            f"'{', '.join(f'{wait:.0f}' for wait in WAITS)}', or nothing for no further try"
        )
    return waits
