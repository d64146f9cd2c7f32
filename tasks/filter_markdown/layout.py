"""The blocks of a cleaned document, one after the other, and where code, headings and links stand in it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from tasks.filter_markdown.places import Heading, Link, Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaned:
    """A document's text, what stands where in it, and what the document says of itself."""

    text: str
    code_spans: list[Span]
    """Character ranges of code blocks (not of code inside a sentence), in order, not overlapping."""
    headings: list[Heading] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    """In order, not overlapping."""
    title: str = ""
    """Of its front matter, or else its first heading of the first level."""
    description: str = ""
    """Of its front matter."""


NOTHING = Cleaned(text="", code_spans=[])
"""What is left of a document that is dropped."""


class Layout:
    """Joins blocks with a blank line, and lines of one list or table with a line break."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        # Of code, of headings and of blocks with links: the number of the part that each is.
        self._code: list[int] = []
        self._headings: list[tuple[int, int, str]] = []
        self._links: list[tuple[int, Sequence[Link]]] = []
        self._last_group = 0
        self._groups = 0

    def __len__(self) -> int:
        return len(self._parts)

    def new_group(self) -> int:
        """A number for a list or table, whose lines stand together."""
        self._groups += 1
        return self._groups

    def add(
        self,
        text: str,
        *,
        group: int = 0,
        code: bool = False,
        links: Sequence[Link] = (),
        level: int = 0,
        anchor: str = "",
    ) -> None:
        """Append a block with its links.

        Args:
            group: that of the list or table it is a line of, or 0.
            level: that of a heading, or 0; `anchor` is the name that its author gave it.
        """
        parts = self._parts
        if parts:
            parts.append("\n" if group and group == self._last_group else "\n\n")
        self._last_group = group
        if code:
            self._code.append(len(parts))
        elif level:
            self._headings.append((len(parts), level, anchor))
        if links:
            self._links.append((len(parts), links))
        parts.append(text)

    def finish(self, title: str = "", description: str = "", *, above: bool = False) -> Cleaned:
        """What has been laid out; below the title if that is to stand `above`."""
        parts, added = self._parts, 0
        if above and title:
            parts = [title, "\n\n", *parts] if parts else [title]
            added = len(parts) - len(self._parts)
        text, places = "".join(parts), [0, *accumulate(map(len, parts))]
        headings = [
            (places[n + added], places[n + added + 1], level, anchor) for n, level, anchor in self._headings
        ]
        if added:
            headings.insert(0, (0, len(title), 1, ""))
        if not title:
            title = next((text[start:end] for start, end, level, _ in headings if level == 1), "")
        return Cleaned(
            text=text,
            code_spans=[(places[n + added], places[n + added + 1]) for n in self._code],
            headings=headings,
            links=[
                (places[n + added] + start, places[n + added] + end, target)
                for n, links in self._links
                for start, end, target in links
            ],
            title=" ".join(title.split()),
            description=description,
        )


def row(cells: list[str]) -> str:
    """A table's row: its cells with bars between them, without empty ones at the end."""
    last = next((n for n in range(len(cells), 0, -1) if cells[n - 1]), 0)
    if not last:
        return ""
    first, *others = cells[:last]
    return (first + "".join(f" | {cell}" if cell else " |" for cell in others)).strip()


def links_in_row(cells: list[str], links: Sequence[tuple[int, list[Link]]]) -> list[Link]:
    """The links of some cells, by their numbers, as they stand in the `row` of all."""
    begins, place = [], 0 if cells[0] else -1  # the row does not begin with the space before a bar
    for number, cell in enumerate(cells):
        place += (3 if cell else 2) if number else 0
        begins.append(place)
        place += len(cell)
    return [
        (begins[number] + start, begins[number] + end, target)
        for number, of_cell in links
        for start, end, target in of_cell
    ]
