"""The words in raw HTML. Tags, comments, scripts and styles go; what they surround stays, as it is shaped.

The Markdown parser has already found where HTML begins and ends: a single tag inside a paragraph, or a block
of lines, which an HTML parser takes apart here. What stands in a block is text, and not Markdown again. A
table's rows, a list's items and a definition list's terms stand on lines of their own.
"""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from tasks.filter_markdown.forgiving import ForgivingParser, decoded
from tasks.filter_markdown.layout import row
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
_RAW_TAG = re.compile(r"<(/?)(script|style|pre|textarea)\b", re.IGNORECASE)
_UNCLOSED = re.compile(r"^( {0,3})<(?=(?:script|style|pre|textarea)\b)", re.MULTILINE | re.IGNORECASE)
_CLOSING = re.compile(r"</([A-Za-z][^\s<>/]*)")
_AMPERSAND = "\ufdd3"
"""Stands for `&` while the HTML is parsed: Python's parser takes references without a semicolon, as in
`&copy_x`."""
_LISTS = frozenset({"ul", "ol", "dl", "menu"})


@dataclass(frozen=True, slots=True)
class Piece:
    """A line of words, or a block of code."""

    text: str
    is_code: bool = False
    group: int = 0
    """The table or list that it is a line of, or 0."""


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


def without_unclosed(html: str) -> str | None:
    """A block whose first element nothing closes, so that it hides what follows, as the text that it is."""
    if not _UNCLOSED.match(html):
        return None
    opened: dict[str, list[int]] = {}
    for tag in _RAW_TAG.finditer(html):
        places = opened.setdefault(tag[2].lower(), [])
        if not tag[1]:
            places.append(tag.start())
        elif places:
            places.pop()
    never = {place for places in opened.values() for place in places}
    if html.find("<") not in never:
        return None
    return _UNCLOSED.sub(lambda tag: f"{tag[1]}\\<" if tag.end(1) in never else tag[0], html)


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
            if (tag == "table" or tag in _LISTS) and self._groups:
                self._groups.pop()
        elif tag in ("code", "kbd", "samp", "tt"):
            self._code = max(0, self._code - 1)

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
                self._cells.append(text)
            self._in_cell = False

    def _end_row(self) -> None:
        if self._pre or self._cells is None:
            return
        self._end_cell()
        text = row(self._cells)
        self._cells = None
        if text:
            self._pieces.append(Piece(text, group=self._groups[-1] if self._groups else 0))

    def _end_line(self) -> None:
        if text := self._take():
            self._pieces.append(Piece(text, group=self._groups[-1] if self._groups else 0))

    def _end_pre(self) -> None:
        self._pre -= 1
        code = decoded("".join(self._current).replace(_AMPERSAND, "&")).strip("\n")
        self._current = []
        if code.strip():
            self._pieces.append(Piece(code, is_code=True))

    def _take(self) -> str:
        """The words read so far, as the lines that their breaks make."""
        if not self._current:
            return ""
        text = decoded("".join(self._current).replace(_AMPERSAND, "&"))
        self._current = []
        lines = (" ".join(line.split()) for line in scripts(text).split(LINE))
        return "\n".join(line for line in lines if line)
