"""A stage as it can be watched: a progress bar in the Prefect UI, and whatever else watches this process.

What is shown is never worth a run: an update that fails is left out.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from threading import Lock
from typing import Any

BAR_SECONDS = 4.0
"""Time between two updates of another stage's bar."""
_LOG = logging.getLogger("docs_mlm")
Move = Callable[[str, float], None]
"""Takes the words and the percentage, 0 to 100, as often as they are told, in whatever thread."""
Watch = Callable[[str], Move]
"""Asked with a bar's name for what is then told of its progress."""


def _unwatched(_words: str, _percent: float) -> None:
    """Nobody watches."""


_WATCH: ContextVar[Watch] = ContextVar("watch", default=lambda _name: _unwatched)


@contextmanager
def watching(watch: Watch) -> Iterator[None]:
    """Within, `watch` is told of every bar, besides the Prefect UI."""
    token = _WATCH.set(watch)
    try:
        yield
    finally:
        _WATCH.reset(token)


def watched(name: str) -> Move:
    """What to tell of the progress of something that the Prefect UI has no bar of its own for."""
    return _WATCH.get()(name)


class ProgressBar:
    """A progress artifact of the current task run, which any thread may move."""

    def __init__(self, key: str, *, every_seconds: float = BAR_SECONDS) -> None:
        self._every = every_seconds
        self._words, self._percent = "Begun", 0.0
        self._shown = time.monotonic()
        self._lock = Lock()
        self._move = watched(key.removesuffix("-progress"))
        # Prefect is imported by what runs a stage, and not by what only plans one.
        from prefect.artifacts import create_progress_artifact

        self._id: Any = create_progress_artifact(0.0, key=key, description=self._words)
        # Another thread would not know which server this is.
        self._context = copy_context()

    def tell(self, words: str, share: float | None = None) -> None:
        """What is being done, and which share of all is done, in [0, 1]; shown now and then."""
        with self._lock:
            self._words = words
            self._percent = max(self._percent, round(100.0 * min(share or 0.0, 1.0), 1))
            self._move(self._words, self._percent)
            if time.monotonic() - self._shown >= self._every:
                self._update()

    def show(self, words: str, percent: float) -> None:
        """Both, at once."""
        with self._lock:
            self._words, self._percent = words, percent
            self._move(words, percent)
            self._update()

    def finish(self) -> None:
        """All is done."""
        self.show("Done" if self._words == "Begun" else self._words, 100.0)

    def _update(self) -> None:
        from httpx import HTTPError
        from prefect.artifacts import update_progress_artifact
        from prefect.exceptions import PrefectException

        self._shown = time.monotonic()
        try:
            self._context.run(update_progress_artifact, self._id, self._percent, description=self._words)
        except (HTTPError, PrefectException, OSError) as error:
            _LOG.debug("The progress could not be shown: %s", error)


_CURRENT: ContextVar[ProgressBar | None] = ContextVar("progress_bar", default=None)


@contextmanager
def progress_bar(key: str) -> Iterator[None]:
    """Within, `tell` moves a progress artifact of the current task run; 100 when the block ends well."""
    bar = ProgressBar(key)
    token = _CURRENT.set(bar)
    try:
        yield
        bar.finish()
    finally:
        _CURRENT.reset(token)


def current_bar() -> ProgressBar | None:
    """The bar of the stage that runs, for its threads; None where nobody watches."""
    return _CURRENT.get()


def tell(words: str, share: float | None = None) -> None:
    """Say what the stage does and which share of it is done, in [0, 1]; does nothing where nobody watches."""
    if (bar := current_bar()) is not None:
        bar.tell(words, share)
