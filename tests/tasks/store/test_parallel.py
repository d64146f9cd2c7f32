"""Work on a few threads: how it ends."""

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tasks.store.parallel import each

SCRIPT = """
import time
from tasks.store.parallel import each

def work(_):
    print("working", flush=True)
    time.sleep(600)

each(work, range(1), threads=1)
"""


def test_no_more_than_asked_work_at_once() -> None:
    """Everything is worked on, by as many threads as were asked for."""
    together, done = threading.Barrier(3), []

    def work(item: int) -> None:
        together.wait()  # passes only if three work at once
        done.append(item)

    each(work, range(9), threads=3)
    assert sorted(done) == list(range(9))


def test_the_first_failure_ends_it() -> None:
    """After a failure nothing new is begun, and the failure is raised where the work was asked for."""
    begun = []

    def work(item: int) -> None:
        begun.append(item)
        raise ValueError(item)

    with pytest.raises(ValueError, match="0"):
        each(work, range(100), threads=1)
    assert begun == [0]


def test_ctrl_c_does_not_wait_for_the_work() -> None:
    """A process whose threads are in the middle of long work ends when it is interrupted."""
    command = [sys.executable, "-c", SCRIPT]
    with subprocess.Popen(
        command, cwd=Path(__file__).parents[3], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as run:
        try:
            assert run.stdout is not None
            assert run.stdout.readline() == b"working\n"
            run.send_signal(signal.SIGINT)
            run.wait()
        finally:
            run.kill()
