"""What a dialect is: its marks, and what each of them leaves for a reader.

A new builder is a new file here with a `DIALECT`, and a test file; nothing else names it.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache

from tasks.filter_markdown.blocks import Page
from tasks.filter_markdown.templates import Piece


@dataclass(frozen=True, slots=True)
class Mark:
    """A mark that prose must not hold any more."""

    signs: tuple[str, ...]
    """One of these is in whatever has the mark: a text without any need not be searched."""
    pattern: re.Pattern[str]

    def count(self, text: str) -> int:
        """How often it stands in `text`."""
        return len(self.pattern.findall(text))


def mark(*signs: str, at: str, flags: re.RegexFlag = re.MULTILINE) -> Mark:
    """A mark that has one of `signs`, and stands where the pattern `at` does."""
    return Mark(signs, re.compile(at, flags))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dialect:
    """A builder's additions to Markdown."""

    name: str
    lines: str = r"(?!)"
    """The pattern of what a line that `blocks` reads begins with, behind its indent, quote and list marks."""
    signs: tuple[re.Pattern[str], ...] = ()
    """What without one of which `templates` and `text` have nothing to do. Each begins with characters, by
    which a source is looked over fast."""
    templates: Callable[[str], Iterable[Piece]] | None = None
    """Finds the tags that are put aside before the parse."""
    blocks: Callable[[Page], bool] | None = None
    """Reads a line that is neither code nor HTML; True where it was the builder's."""
    text: Callable[[str], str] | None = None
    """A block's words without the builder's marks. Code in it is `\\0number\\0`, out of its reach."""
    role: Callable[[str, str], str] | None = None
    """What a reader sees of code behind a name in braces, by the name and the code."""
    reference: Callable[[str], str] | None = None
    """The name that a reader sees of an address of an API's documentation."""
    marks: Mapping[str, Mark] = field(default_factory=dict)
    """By name, what prose must not hold any more: what is left over is counted by these."""

    def concerns(self, source: str) -> bool:
        """Whether a source has marks that are not a line's."""
        for character, begins, search in _looks(self):
            if character in source and begins in source and search(source):
                return True
        return False


_LITERAL = re.compile(r"(?:(?:\\[^\w\s]|[^\\.^$*+?{}\[\]|()])(?![*+?{]))++")
"""Characters of a pattern that stand for themselves."""


@cache
def _looks(dialect: Dialect) -> tuple[tuple[str, str, Callable[[str], re.Match[str] | None]], ...]:
    """How a dialect's signs begin, each with what finds the sign; the first character alone is found in a
    thirtieth of the time."""
    begins = [(beginning(sign.pattern), sign.search) for sign in dialect.signs]
    return tuple((begin[:1], begin, search) for begin, search in begins)


def beginning(pattern: str) -> str:
    """The characters with which everything begins that a pattern without a choice at its top finds."""
    literal = _LITERAL.match(pattern)
    return re.sub(r"\\(.)", r"\1", literal[0]) if literal else ""


_LINE_BEGIN = r"\n[ \t>]*+(?:(?:[-*+]|[0-9]+[.)])[ \t]+)*+(?=[^\s\w|#]|import|export)"
"""What may stand before a mark on a line; the source has a line end before its first line."""


@cache
def line_pattern(dialects: tuple[Dialect, ...], *extra: str) -> re.Pattern[str]:
    """Finds a line that one of the dialects may read, or that begins with one of the patterns in `extra`."""
    return re.compile(f"{_LINE_BEGIN}(?:{'|'.join([*extra, *(dialect.lines for dialect in dialects)])})")
