"""A bar for each stage in a terminal that a person watches; where none does, the log's lines are all."""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock

from tasks.stage.progress import watching

UPLOAD = "upload"
"""Its bar goes when it is full, for each stage has one."""


@contextmanager
def bars() -> Iterator[None]:
    """Within, what stages tell of their progress moves bars on standard error, below what is logged."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

    # The log is written through Prefect's console, so it must be the one that has the bars, whose
    # theme lacks the names of a bar's colours.
    consoles = (getattr(handler, "console", None) for handler in logging.getLogger().handlers)
    console = next(filter(None, consoles), None) or Console(stderr=True)
    progress = Progress(
        TextColumn("{task.fields[stage]:>8}", markup=False),
        BarColumn(16, style="bright_black", complete_style="cyan", finished_style="green"),
        TextColumn("{task.percentage:>3.0f}%", markup=False),
        TimeElapsedColumn(),
        TextColumn("{task.description}", markup=False),
        console=console, redirect_stdout=False, refresh_per_second=4,
    )  # fmt: skip

    def watch(stage: str) -> Callable[[str, float], None]:
        @cache
        def bar() -> TaskID:
            progress.start()  # with the first word, for what is reused says none
            _follow_stderr()
            return progress.add_task("", total=100.0, stage=stage)

        lock = Lock()

        def move(words: str, percent: float) -> None:
            gone = stage == UPLOAD and percent >= 100.0
            with lock:
                progress.update(bar(), description=words, completed=percent, visible=not gone)

        return move

    try:
        with watching(watch):
            yield
    finally:
        progress.stop()
        _follow_stderr()


def _follow_stderr() -> None:
    """Let the command's own log go where standard error goes now: above the bars, while there are some."""
    for handler in logging.getLogger("docs_mlm").handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(sys.stderr)
