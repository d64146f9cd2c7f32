"""From Markdown to the words worth learning from, with the ranges of the code among them.

The parser is pulldown-cmark by way of pyromark: on this job it reads about 7,000 documents a second where
markdown-it-py, the pure Python parser tried first, reads 330, and it stays linear on hostile input
(a megabyte of `[`, `*` or `<!--`, 100,000 nested lists), so cleaning does not hold up the tokenizer.

What `text` makes of a document: paragraphs, headings and code blocks with a blank line between them, list
items and table rows on lines of their own, a table's cells with ` | ` between them. A wrapped paragraph
becomes one line. A link leaves its text, an image nothing: its alternative text repeats the sentence beside
it, or names an icon.
"""

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote

import pyromark

from tasks.filter_markdown import docfx, html_text
from tasks.filter_markdown.forgiving import decoded
from tasks.filter_markdown.layout import Cleaned, Layout

DEEPEST_HTML = 2
"""Markdown below an HTML tag is parsed in turn, and HTML in it once more."""

_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u2060\ufeff"))
"""Soft hyphens, zero-width spaces and joiners, which would cut a word in two tokens."""
_INLINE = frozenset({"Emphasis", "Strong", "Strikethrough", "Superscript", "Subscript"})
_NOTHING_BEGINS = _INLINE | {"TableCell", "TableRow", "TableHead"}
_GUARD = re.compile("\0([0-9]+)\0")
_DELIMITER_ROW = re.compile(r"^[ \t]*+\|?+[ \t]*+:?+-{2,}+:?+[ \t]*+\|[-:| \t]*+$\n?", re.MULTILINE)
_WORD = re.compile(r"\w")


def clean_raw(source: str) -> Cleaned:
    """The Markdown as it is, with the ranges of its code blocks, fences included."""
    return Cleaned(text=source, code_spans=_code_ranges(source))


def clean_text(source: str, *, keep_code: bool = True) -> Cleaned:
    """The words of `source`, without markup."""
    source = docfx.unindent_columns(docfx.without_front_matter(source))
    cleaned = _clean(source, keep_code)
    if "-->" in cleaned.text or "<!--" in cleaned.text:
        # CommonMark ends most HTML at a blank line, so a comment that goes on after one leaks its rest.
        cleaned = _clean(_without_comments(source), keep_code)
    return cleaned


def _clean(source: str, keep_code: bool) -> Cleaned:
    layout = Layout()
    _Reader(layout, keep_code).read(source)
    return layout.finish()


def _refer_to_nothing(link: Any) -> tuple[str, str] | None:
    """Make a link of `[text][no such label]`, so that its text stays and the label goes."""
    return ("", "") if link["link_type"] in ("Reference", "ReferenceUnknown") else None


_PARSER = pyromark.Markdown(
    options=pyromark.Options.ENABLE_TABLES
    | pyromark.Options.ENABLE_STRIKETHROUGH
    | pyromark.Options.ENABLE_TASKLISTS
    | pyromark.Options.ENABLE_FOOTNOTES,
    broken_link_callback=_refer_to_nothing,
)


class _Reader:
    """Follows the parser's events and lays the words out."""

    def __init__(self, layout: Layout, keep_code: bool, depth: int = 0) -> None:
        self._layout = layout
        self._keep_code = keep_code
        self._depth = depth
        self._parts: list[str] = []  # the words of the block that is being read
        self._guarded: list[str] = []  # code among them that looks like a directive
        self._hidden = 0  # how many images and elements without words are open
        self._xref = False
        self._group = 0  # the group of the next line: its list's at the beginning of an item, else 0
        self._lists: list[int] = []
        self._table = 0
        self._cells: list[str] = []

    def read(self, source: str) -> None:
        """Lay out the words of `source`."""
        parts = self._parts
        events: Iterable[Any] = _PARSER.events(source)
        for event in events:
            if type(event) is str:
                parts.append("\n" if event == "SoftBreak" else html_text.LINE)
                continue
            ((kind, value),) = event.items()
            if kind == "Text":
                if not self._hidden:
                    parts.append(_xref_name(value) if self._xref else value)
            elif kind == "Code":
                if not self._hidden:
                    parts.append(self._guard(value))
            elif kind == "Start":
                if type(value) is str:
                    if value not in _NOTHING_BEGINS:
                        self._begin(value, None)
                else:
                    ((tag, details),) = value.items()
                    self._begin(tag, details)
            elif kind == "End":
                if type(value) is not str:
                    (value,) = value
                if value not in _INLINE:
                    self._end(value)
            elif kind == "Html":
                parts.append(value)
            elif kind == "InlineHtml":
                self._hidden = max(0, self._hidden + html_text.silent_tag(value))
                if not self._hidden:
                    parts.append(html_text.words_of_tag(value))

    def _begin(self, tag: str, details: Any) -> None:
        if tag == "Link":
            self._xref = details["link_type"] == "Autolink" and details["dest_url"].startswith("xref:")
            return
        if tag == "Image":
            self._hidden += 1
            return
        self._end_line()  # a tight list item has words without a paragraph around them
        if tag == "Item":
            self._group = self._lists[0]
        elif tag == "List":
            self._lists.append(self._lists[0] if self._lists else self._layout.new_group())
        elif tag == "Table":
            self._table = self._layout.new_group()

    def _end(self, tag: str) -> None:
        if tag == "Link":
            self._xref = False
        elif tag == "Image":
            self._hidden = max(0, self._hidden - 1)
        elif tag == "TableCell":
            self._cells.append(self._take().replace("\n", " "))
        elif tag in ("TableRow", "TableHead"):
            self._end_row()
        elif tag == "CodeBlock":
            self._end_code()
        elif tag == "HtmlBlock":
            self._end_html()
        elif tag == "Heading":
            text = docfx.without_heading_id(self._take())
            if text:
                self._layout.add(text)
            self._group = 0
        else:
            self._end_line()
            if tag == "Item":
                self._group = 0
            elif tag == "List":
                self._lists.pop()

    def _end_line(self) -> None:
        if self._parts:
            if "\n" in self._parts and "--" in "".join(self._parts):
                self._mend_table()
            text = self._take()
            if _WORD.search(text):
                self._layout.add(text, group=self._group)
                self._group = 0

    def _mend_table(self) -> None:
        """Give a table that is none to the parser (its first rows differ in cells) its rows back."""
        text, delimiters = _DELIMITER_ROW.subn("", "".join(self._parts))
        if delimiters:
            rows = (row.strip(" \t|").split("|") for row in text.split("\n"))
            self._parts[:] = [html_text.LINE.join(" | ".join(map(str.strip, row)) for row in rows)]

    def _end_row(self) -> None:
        while self._cells and not self._cells[-1]:
            self._cells.pop()
        if self._cells:
            first, *others = self._cells
            row = first + "".join(f" | {cell}" if cell else " |" for cell in others)
            self._layout.add(row.strip(), group=self._table)
            self._cells.clear()

    def _end_code(self) -> None:
        code = "".join(self._parts).strip("\n")
        self._parts.clear()
        self._add_code(code)

    def _add_code(self, code: str) -> None:
        if self._keep_code and code.strip():
            self._layout.add(code, code=True)
            self._group = 0

    def _end_html(self) -> None:
        html = "".join(self._parts)
        self._parts.clear()
        for text, is_code in html_text.words_of_block(html):
            if is_code:
                self._add_code(decoded(text).strip("\n"))
            elif self._depth < DEEPEST_HTML:
                _Reader(self._layout, self._keep_code, self._depth + 1).read(text)
            else:
                self._parts.append(decoded(text))
                self._end_line()

    def _guard(self, code: str) -> str:
        """Keep code in a sentence that looks like a directive out of the directives' reach."""
        if ":::" not in code and "[!" not in code and "{:" not in code:
            return code
        self._guarded.append(code)
        return f"\0{len(self._guarded) - 1}\0"

    def _unguarded(self, mark: re.Match[str]) -> str:
        # An address may hold such a mark of its own, `%007%00`, with a number of any length.
        number = mark[1].lstrip("0") or "0"
        known = len(number) < 9 and int(number) < len(self._guarded)
        return self._guarded[int(number)] if known else mark[0]

    def _take(self) -> str:
        """The words read so far as one line, or several where the author broke them."""
        text = "".join(self._parts)
        self._parts.clear()
        self._hidden = 0
        if ":::" in text or "[!" in text or "{:" in text:
            text = docfx.without_directives(text)
        if self._guarded:
            text = _GUARD.sub(self._unguarded, text)
            self._guarded.clear()
        if not text.isascii():
            text = text.translate(_INVISIBLE)
        if html_text.LINE not in text:
            return " ".join(text.split())
        lines = (" ".join(line.split()) for line in text.split(html_text.LINE))
        return "\n".join(line for line in lines if line)


def _xref_name(address: str) -> str:
    """`System.String` of the autolink `<xref:System.String?displayProperty=name>`."""
    return unquote(address.removeprefix("xref:").partition("?")[0])


def _code_ranges(source: str) -> list[tuple[int, int]]:
    """Character ranges of the code blocks in Markdown; the parser counts bytes of UTF-8."""
    ranges = []
    raw = None if source.isascii() else source.encode()
    byte = character = 0
    events: Iterable[tuple[Any, Any]] = _PARSER.events_with_range(source)
    for event, where in events:
        if type(event) is dict and type(event.get("Start")) is dict and "CodeBlock" in event["Start"]:
            start, end = where["start"], where["end"]
            if raw is not None:
                character += len(raw[byte:start].decode())
                length = len(raw[start:end].decode())
                byte, start, end = end, character, character + length
                character = end
            ranges.append((start, end))
    return ranges


def _without_comments(source: str) -> str:
    """Markdown without HTML comments, except in code blocks."""
    kept: list[str] = []
    position = 0
    for start, end in [*_code_ranges(source), (len(source), len(source))]:
        kept += (html_text.without_comments(source[position:start]), source[start:end])
        position = end
    return "".join(kept)
