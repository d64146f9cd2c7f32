"""The words in raw HTML. Tags, comments, scripts and styles go; what they surround stays, as it is shaped.

The Markdown parser has already found where HTML begins and ends: a single tag inside a paragraph, or a block
of lines, which an HTML parser takes apart here. What stands in a block is text, and not Markdown again. A
table's rows, a list's items and a definition list's terms stand on lines of their own.
"""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from tasks.filter_markdown.forgiving import ForgivingParser, decoded
from tasks.filter_markdown.layout import links_in_row, row
from tasks.filter_markdown.places import Link, placed
from tasks.filter_markdown.tags import (
    BLOCK_TAGS,
    LINE,
    SILENT_TAGS,
    SUBSCRIPT,
    SUPERSCRIPT,
    is_written,
    scripts,
)

_STRAY = re.compile(r"<(?:(?=!--)|(?![^<>]*+>))")
"""A `<` that no `>` follows before the next, or of a comment that nothing closes."""
_CLOSING = re.compile(r"</([A-Za-z][^\s<>/]*)")
_AMPERSAND = "\ufdd3"
"""Stands for `&` while the HTML is parsed: Python's parser takes references without a semicolon, as in
`&copy_x`."""
_LISTS = frozenset({"ul", "ol", "dl", "menu"})
_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})


@dataclass(frozen=True, slots=True)
class Piece:
    """A line of words, or a block of code."""

    text: str
    is_code: bool = False
    group: int = 0
    """The table or list that it is a line of, or 0."""
    links: list[Link] = field(default_factory=list)
    level: int = 0
    """Of a heading: 1 to 6."""
    anchor: str = ""
    """The name that a heading has for links, or nothing."""


def closed_tags(html: str) -> frozenset[str]:
    """The names of all closing tags."""
    return frozenset(name.lower() for name in _CLOSING.findall(html))


def words_of_block(
    html: str,
    closed: Callable[[str], bool] | None = None,
    guard: Callable[[str], str] | None = None,
    reference: Callable[[str], str] | None = None,
) -> list[Piece]:
    """The pieces of a block of HTML lines, in order.

    Args:
        closed: whether an element is closed somewhere in the document.
        reference: the name that an address of an API's documentation is read as.
        guard: what stands for code in a sentence until the builders' marks are taken out.
    """
    html = without_comments(html)
    if not html.strip() or html.lstrip().startswith("<!--"):
        return []
    names = Counter(name.lower() for name in _CLOSING.findall(html))
    reader = _Reader(names, closed or names.__contains__, guard or str, reference or str)
    # What is not closed would make the HTML parser search to the end again and again.
    reader.feed(_STRAY.sub("&lt;", html).replace("&", _AMPERSAND))
    reader.close()
    return reader.finish()


def without_comments(text: str) -> str:
    """`text` without its HTML comments; one that is not closed stays."""
    kept: list[str] = []
    position = 0
    while (opening := text.find("<!--", position)) >= 0:
        closing = text.find("-->", opening)
        if closing < 0:
            break
        kept.append(text[position:opening])
        position = closing + len("-->")
    return "".join((*kept, text[position:]))


class _Reader(ForgivingParser):
    """Collects the words, a piece for every element that begins a new line."""

    def __init__(
        self,
        names: Counter[str],
        closed: Callable[[str], bool],
        guard: Callable[[str], str],
        reference: Callable[[str], str],
    ) -> None:
        super().__init__()
        self._names, self._closed = names, closed
        self._guard, self._reference = guard, reference
        self._pieces: list[Piece] = []
        self._current: list[str] = []
        self._cells: list[str] | None = None
        self._in_cell = False
        self._groups: list[int] = []
        self._last_group = 0
        self._hidden = ""  # the element without words that is open
        self._pre = self._code = 0
        self._links: list[Link] = []  # of the line that is read, by their places among its words
        self._link = (0, "")  # where the one that is open begins, and where it leads
        self._placed: list[Link] = []  # of the words that were taken last
        self._cell_links: list[tuple[int, list[Link]]] = []
        self._level, self._anchor = 0, ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a line where the element does, and note elements of code or without words."""
        raw = self.get_starttag_text() or ""
        if self._hidden:
            return
        if not self._names[tag] and is_written(tag, raw, closed=self._closed(tag), in_sentence=False):
            self.handle_data(raw)
        elif tag == "pre":
            self._end_row()
            self._end_line()
            self._pre += 1
        elif self._pre and tag not in BLOCK_TAGS and tag not in SILENT_TAGS:
            pass
        elif tag in SILENT_TAGS:
            self._hidden = tag if self._names[tag] else ""
        elif tag in ("td", "th"):
            self._begin_cell()
        elif tag == "tr":
            self._end_row()
        elif tag in BLOCK_TAGS:
            self._break(tag)
            if tag == "table" or tag in _LISTS:
                self._open_group(tag)
            elif tag in _HEADINGS:
                self._level, self._anchor = int(tag[1]), dict(attrs).get("id") or self._anchor
        elif tag == "a":
            self._begin_anchor(dict(attrs))
        elif tag in ("code", "kbd", "samp", "tt"):
            self._code += 1
        elif tag == "sup":
            self._current.append(SUPERSCRIPT)
        elif tag == "sub":
            self._current.append(SUBSCRIPT)
        elif tag == "xref":
            address = next((value or "" for name, value in attrs if name in ("href", "uid")), "")
            self._current.append(self._reference(address))

    def handle_endtag(self, tag: str) -> None:
        """End what the start tag began; a stray end tag changes nothing."""
        self._names[tag] -= 1
        if self._hidden:
            self._hidden = "" if tag == self._hidden else self._hidden
        elif tag == "pre" and self._pre:
            self._end_pre()
        elif tag in ("td", "th"):
            self._end_cell()
        elif tag == "tr":
            self._end_row()
        elif tag in BLOCK_TAGS:
            self._break(tag)
            if tag == "table":
                self._end_row()
            elif tag in _HEADINGS:
                self._level = 0
            if (tag == "table" or tag in _LISTS) and self._groups:
                self._groups.pop()
        elif tag in ("code", "kbd", "samp", "tt"):
            self._code = max(0, self._code - 1)
        elif tag == "a":
            self._end_anchor()

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element without contents only breaks the line."""
        if self._hidden:
            return
        if tag in BLOCK_TAGS:
            self._break(tag)
        elif tag == "xref":
            self.handle_starttag(tag, attrs)

    def handle_data(self, data: str) -> None:
        """Words between tags."""
        if self._hidden:
            return
        if self._pre:
            self._current.append(data)
        elif self._code and data.strip():
            self._current.append(self._guard(decoded(data.replace(_AMPERSAND, "&"))))
        else:
            self._current.append(data.replace("\r", " "))

    def finish(self) -> list[Piece]:
        """All pieces, after `close`."""
        if self._pre:
            self._end_pre()
        self._end_row()
        self._end_line()
        return self._pieces

    def _open_group(self, tag: str) -> None:
        if tag == "table" or not self._groups:
            self._last_group += 1
        self._groups.append(self._last_group)
        if tag == "table":
            self._end_row()

    def _begin_anchor(self, attributes: dict[str, str | None]) -> None:
        self._end_anchor()
        if target := attributes.get("href"):
            self._link = (len(self._current), target.replace(_AMPERSAND, "&"))
        elif name := attributes.get("id") or attributes.get("name"):
            self._anchor = name

    def _end_anchor(self) -> None:
        begin, target = self._link
        if target and len(self._current) > begin:
            self._links.append((begin, len(self._current), target))
        self._link = (0, "")

    def _break(self, tag: str) -> None:
        """Begin a new line; within a cell a space, within code a line of code."""
        if self._pre:
            self._current.append("\n")
        elif self._cells is not None:
            self._current.append(" ")
        elif tag == "br":
            self._current.append(LINE)
        else:
            self._end_line()

    def _begin_cell(self) -> None:
        if self._pre:
            return
        if self._cells is None:
            self._end_line()
            self._cells = []
        self._end_cell()
        self._in_cell = True

    def _end_cell(self) -> None:
        # Words between two cells are a cell, so that none is lost.
        if self._cells is not None and not self._pre:
            text = self._take().replace("\n", " ")
            if text or self._in_cell:
                if self._placed:
                    self._cell_links.append((len(self._cells), self._placed))
                self._cells.append(text)
            self._in_cell = False

    def _end_row(self) -> None:
        if self._pre or self._cells is None:
            return
        self._end_cell()
        text, group = row(self._cells), self._groups[-1] if self._groups else 0
        if text:
            self._pieces.append(Piece(text, False, group, links_in_row(self._cells, self._cell_links)))
        self._cells = None
        self._cell_links.clear()

    def _end_line(self) -> None:
        if text := self._take():
            group = self._groups[-1] if self._groups else 0
            self._pieces.append(Piece(text, False, group, self._placed, self._level, self._anchor))
            self._anchor = ""

    def _end_pre(self) -> None:
        self._pre -= 1
        code = decoded("".join(self._current).replace(_AMPERSAND, "&")).strip("\n")
        self._current = []
        if code.strip():
            self._pieces.append(Piece(code, is_code=True))

    def _take(self) -> str:
        """The words read so far, as the lines that their breaks make."""
        self._placed = []
        if not self._current:
            return ""
        self._end_anchor()
        text = _lines("".join(self._current))
        if self._links:
            self._placed = placed(text, self._current, self._links, _lines)
            self._links.clear()
        self._current = []
        return text


def _lines(words: str) -> str:
    """Words as the lines that their breaks make."""
    text = decoded(words.replace(_AMPERSAND, "&"))
    lines = (" ".join(line.split()) for line in scripts(text).split(LINE))
    return "\n".join(line for line in lines if line)
