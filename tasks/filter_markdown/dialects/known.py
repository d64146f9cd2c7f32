"""The dialects that are there: every file of this folder that holds one."""

import importlib
import pkgutil
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from tasks.filter_markdown.dialects.dialect import Dialect

NO_DIALECTS = ("dialect", "known")


@cache
def names() -> tuple[str, ...]:
    """Their names, in the order in which they read a document."""
    found = (module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)]))
    return tuple(sorted(name for name in found if name not in NO_DIALECTS))


@cache
def dialect(name: str) -> Dialect:
    """The dialect of that name."""
    found: Dialect = importlib.import_module(f"tasks.filter_markdown.dialects.{name}").DIALECT
    return found


def dialects(chosen: Iterable[str] | None = None) -> tuple[Dialect, ...]:
    """Those that are chosen, or all."""
    return _dialects(names() if chosen is None else tuple(chosen))


@cache
def _dialects(chosen: tuple[str, ...]) -> tuple[Dialect, ...]:
    return tuple(dialect(name) for name in names() if name in chosen)
