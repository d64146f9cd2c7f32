"""The same work on many things, on a few threads that never hold up the end of the process.

`concurrent.futures` joins its threads when the interpreter ends, so a second Ctrl-C during a large upload
would wait for that upload. These threads are daemons.
"""

import threading
from collections.abc import Callable, Iterable
from queue import Empty, SimpleQueue
from typing import TypeVar

T = TypeVar("T")


def each(work: Callable[[T], object], items: Iterable[T], *, threads: int) -> None:
    """Call `work` with each of `items`, at most `threads` at once.

    After a failure nothing new is begun, and the first failure is raised once what was begun has ended.
    """
    waiting: SimpleQueue[T] = SimpleQueue()
    for item in items:
        waiting.put(item)
    failures: list[BaseException] = []
    stop = threading.Event()

    def run() -> None:
        while not stop.is_set():
            try:
                item = waiting.get_nowait()
            except Empty:
                return
            try:
                work(item)
            except BaseException as failure:  # noqa: BLE001 - raised below, in the caller's thread
                failures.append(failure)
                stop.set()

    helpers = [threading.Thread(target=run, daemon=True) for _ in range(min(threads, waiting.qsize()))]
    for helper in helpers:
        helper.start()
    try:
        for helper in helpers:
            helper.join()
    finally:
        stop.set()
    if failures:
        raise failures[0]
