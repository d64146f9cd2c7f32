"""Ctrl-C and SIGTERM: the run saves a checkpoint, tells Prefect, and ends with the signal's exit code."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from tasks.machine import starting_deaf


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
    finally:
        signal.signal(signal.SIGTERM, before)


def start_own_server() -> None:
    """Start Prefect's temporary server, where no other is set, deaf to Ctrl-C.

    Without its server the run would try for minutes to tell it that it stopped.
    """
    from prefect.client.orchestration import get_client

    with starting_deaf():
        get_client(sync_client=True)  # starts the server, if it is to be a temporary one
