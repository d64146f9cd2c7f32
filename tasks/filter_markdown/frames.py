"""Blocks that are open while a page is read line by line."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache


@dataclass(slots=True)
class Fence:
    """A fence that is open."""

    ends: Callable[[str], bool]
    offset: int
    """The column of the list item that it is in, which ends it."""
    mark: str
    """The line that ends it, as Markdown writes it."""
    quotes: int = 0
    """How many quotes it is in."""
    made: bool = False
    """Whether its author wrote something else, so that what ends it is to be written."""


@dataclass(slots=True)
class Frame:
    """A block that is open: what its lines lose on the left, and what ends it."""

    quotes: int
    column: int
    required: int
    """The column at which its lines begin at the earliest."""
    shift: int | None
    """The columns that its lines lose; None until the first of them tells."""
    ends: Callable[[str], bool] | None = None


def is_fence_end(text: str, mark: str) -> bool:
    """Whether a line ends the fence that `mark` began."""
    return text.startswith(mark) and not text.strip().strip(mark[0])


def shifted(rest: str, shift: int) -> str:
    """A line without its first `shift` columns, as far as they are blank."""
    text = rest.lstrip(" \t")
    column = len(rest[: len(rest) - len(text)].expandtabs(4))
    return " " * max(0, column - shift) + text


@cache
def quote_marks(most: int | None) -> re.Pattern[str]:
    """Finds the marks of quotes before a line: all, or so many at most: in a fence others are code."""
    return re.compile(r"(?: {0,3}>[ ]?)" + ("++" if most is None else f"{{0,{most}}}+"))
