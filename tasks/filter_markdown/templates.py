"""Template tags in Markdown (shortcodes, Liquid, JSX), put aside while the Markdown is parsed.

A builder runs its templates before or beside the Markdown, so their quotes, bars and angle brackets are none
of Markdown's. Each tag is replaced by a mark of three characters or more that Markdown takes for a letter.
What the parser then says decides: a mark in code becomes again what the author wrote, one in prose what a
reader sees of it: nothing, or the title that the tag gives.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

OPEN, CLOSE = "\ufdd0", "\ufdd1"
"""Around a template's number. They are no characters of any text (Unicode keeps them for programs)."""
MARK = re.compile(f"{OPEN}([0-9]{{1,7}}){CLOSE}")
ONLY_MARKS = re.compile(f"(?:{OPEN}[0-9]{{1,7}}{CLOSE}[ \t]*+)++")
SHOWN = ("title", "caption", "label", "header", "heading", "summary", "text")
"""Attributes that a reader sees, whatever tag they are of."""
_SHOWN = re.compile(
    rf"(?<![\w-])(?:{'|'.join(SHOWN)})\s*+=\s*+(?:\{{\s*+)?(?:\"([^\"]*+)\"|'([^']*+)'|`([^`]*+)`)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A template tag in a source: where it stands, and what it is."""

    start: int
    end: int
    shown: str = ""
    opens: str = ""
    """The name of the element that it begins, if it begins one."""
    closes: str = ""
    """The name of the element that it ends, if it ends one."""
    code: bool = False
    """Whether what it begins is code."""
    dedent: bool = False
    """Whether what it begins may be indented."""


@dataclass(slots=True)
class Template:
    """A template tag that was put aside."""

    raw: str
    shown: str
    pair: int = -1
    """The number of the tag that ends what it begins."""
    code: bool = False
    dedent: bool = False

    def is_ended_by(self, text: str) -> bool:
        """Whether a line holds the tag that ends it."""
        return f"{OPEN}{self.pair}{CLOSE}" in text


class Templates:
    """All that were put aside, by their numbers."""

    def __init__(self) -> None:
        self.found: list[Template] = []

    def put_aside(self, source: str, find: Callable[[str], Iterable[Piece]]) -> str:
        """`source` with marks in place of the tags that `find` finds, in order and none within another."""
        parts: list[str] = []
        opened: dict[str, list[Template]] = {}
        position = 0
        for piece in find(source):
            number = len(self.found)
            template = Template(
                source[piece.start : piece.end], piece.shown, code=piece.code, dedent=piece.dedent
            )
            self.found.append(template)
            if piece.opens:
                opened.setdefault(piece.opens, []).append(template)
            elif opened.get(piece.closes):
                opened[piece.closes].pop().pair = number
            parts += (source[position : piece.start], f"{OPEN}{number}{CLOSE}")
            position = piece.end
        return "".join((*parts, source[position:])) if parts else source

    def written(self, code: str) -> str:
        """Code as its author wrote it."""
        for _ in range(8):  # a tag may hold one of another builder
            if OPEN not in code:
                break
            code = MARK.sub(lambda mark: self._known(mark, raw=True), code)
        return code

    def read(self, text: str) -> str:
        """Prose as its reader sees it."""
        return MARK.sub(lambda mark: self._known(mark, raw=False), text) if OPEN in text else text

    def in_line(self, line: str) -> list[Template]:
        """The templates in a line, in order."""
        numbers = [int(number) for number in MARK.findall(line)]
        return [self.found[number] for number in numbers if number < len(self.found)]

    def _known(self, mark: re.Match[str], *, raw: bool) -> str:
        number = int(mark[1])
        if number >= len(self.found):
            return mark[0] if raw else ""
        template = self.found[number]
        return template.raw if raw else self.written(template.shown)


def between(source: str, opening: str, closing: str) -> Iterator[tuple[int, int]]:
    """The ranges from each `opening` to the first `closing` behind it, the innermost where they nest."""
    position = source.find(opening)
    while position >= 0:
        end = source.find(closing, position + len(opening))
        if end < 0:
            return
        start = source.rfind(opening, position, end)
        yield start, end + len(closing)
        position = source.find(opening, end + len(closing))


def titles(attributes: str) -> str:
    """What a reader sees of a tag's attributes: `Next steps` of `title="Next steps" href="x"`."""
    found = [next(filter(None, value), "") for value in _SHOWN.findall(attributes)]
    return " ".join(" ".join(value.split()) for value in found if value)
