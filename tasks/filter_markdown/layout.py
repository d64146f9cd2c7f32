"""The blocks of a cleaned document, one after the other, and where code stands among them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaned:
    """A document's text, and where code blocks stand in it."""

    text: str
    code_spans: list[tuple[int, int]]
    """Character ranges of code blocks (not of code inside a sentence), in order, not overlapping."""


class Layout:
    """Joins blocks with a blank line, and lines of one list or table with a line break."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._length = 0
        self._code_spans: list[tuple[int, int]] = []
        self._last_group = 0
        self._groups = 0

    def __len__(self) -> int:
        return self._length

    def new_group(self) -> int:
        """A number for a list or table, whose lines stand together."""
        self._groups += 1
        return self._groups

    def add(self, text: str, *, group: int = 0, code: bool = False) -> None:
        """Append a block; `group` is that of the list or table it is a line of, or 0."""
        if self._parts:
            separator = "\n" if group and group == self._last_group else "\n\n"
            self._parts.append(separator)
            self._length += len(separator)
        self._last_group = group
        self._parts.append(text)
        if code:
            self._code_spans.append((self._length, self._length + len(text)))
        self._length += len(text)

    def finish(self, title: str = "") -> Cleaned:
        """What has been laid out, below `title`."""
        if not title or not self._parts:
            return Cleaned(text=title + "".join(self._parts), code_spans=self._code_spans)
        text = "".join((title, "\n\n", *self._parts))
        before = len(title) + 2
        return Cleaned(text=text, code_spans=[(a + before, b + before) for a, b in self._code_spans])


def row(cells: list[str]) -> str:
    """A table's row: its cells with bars between them, without empty ones at the end."""
    last = next((n for n in range(len(cells), 0, -1) if cells[n - 1]), 0)
    if not last:
        return ""
    first, *others = cells[:last]
    return (first + "".join(f" | {cell}" if cell else " |" for cell in others)).strip()
