"""The parser's events of one document, followed and laid out as words."""

import re
from collections.abc import Iterable
from typing import Any

import pyromark

from tasks.filter_markdown import html_text
from tasks.filter_markdown.attributes import ELEMENT
from tasks.filter_markdown.layout import Layout, row
from tasks.filter_markdown.rules import SPECIAL, Rules
from tasks.filter_markdown.tags import (
    BLOCK_TAGS,
    LINE,
    SILENT_TAGS,
    SUBSCRIPT,
    SUPERSCRIPT,
    is_written,
    name_of,
)

_INLINE = frozenset({"Emphasis", "Strong", "Strikethrough", "Superscript", "Subscript", "Link", "Image"})
_NOTHING_BEGINS = _INLINE | {"TableCell", "TableRow", "TableHead"}
_DELIMITER_ROW = re.compile(r"^[ \t]*+\|?+[ \t]*+:?+-{2,}+:?+[ \t]*+\|[-:| \t]*+$\n?", re.MULTILINE)
_OF_DEFINITIONS = frozenset({"DefinitionListTitle", "DefinitionListDefinition"})
_LISTS = frozenset({"List", "DefinitionList"})
_CODE_TITLE = re.compile(r"\btitle=([\"'])([^\"']*\w[^\"']*)\1")
_ANY = re.compile("")
_WORD = re.compile(r"\w")

_ADDRESS = re.compile(r"\b(?:href|uid)=[\"']([^\"']*)")

_OPTIONS = (
    pyromark.Options.ENABLE_TABLES
    | pyromark.Options.ENABLE_STRIKETHROUGH
    | pyromark.Options.ENABLE_TASKLISTS
    | pyromark.Options.ENABLE_FOOTNOTES
)
PARSER = pyromark.Markdown(options=_OPTIONS)
WITH_DEFINITIONS = pyromark.Markdown(options=_OPTIONS | pyromark.Options.ENABLE_DEFINITION_LIST)


def _events(source: str, rules: Rules) -> Iterable[Any]:
    return (WITH_DEFINITIONS if rules.definitions else PARSER).events(source)


class Reader:
    """Follows the parser's events and lays the words out."""

    def __init__(self, layout: Layout, rules: Rules, keep_code: bool, code_in_prose: bool = True) -> None:
        self._titled = False  # whether a heading of the first level is above all other words
        self._headings: set[str] = set()
        self._layout = layout
        self._rules = rules
        self._keep_code = keep_code
        self._code_in_prose = code_in_prose
        self._marks_elements, self._touches, self._change = rules.attributes, rules.touches, rules.only_change
        self._parts: list[str] = []  # the words of the block that is being read
        self._special = (
            _ANY.search if not code_in_prose or rules.role else (SPECIAL.search if rules.touches else None)
        )
        self._open: list[tuple[str, int]] = []  # tags that nothing closed yet, and their places in the words
        self._level = ""
        self._group = 0  # the group of the next line: its list's at the beginning of an item, else 0
        self._lists: list[int] = []
        self._table = 0
        self._cells: list[str] = []

    def read(self, source: str) -> None:
        """Lay out the words of `source`."""
        parts, append, special = self._parts, self._parts.append, self._special
        marks, images, address, begin = self._marks_elements, 0, "", 0
        for event in _events(source, self._rules):
            if type(event) is str:
                append("\n" if event == "SoftBreak" else LINE)
                continue
            for kind in event:
                value = event[kind]
            if kind == "Text":
                if not images:
                    append(value)
            elif kind == "Start":
                if type(value) is str:
                    if value not in _NOTHING_BEGINS and (parts or value != "Paragraph"):
                        self._begin(value, None)
                    continue
                for tag in value:
                    details = value[tag]
                if tag == "Link":
                    address, begin = details["dest_url"], len(parts)
                elif tag == "Image":
                    images += 1
                else:
                    self._begin(tag, details)
            elif kind == "End":
                if type(value) is not str:
                    (value,) = value
                if value in _INLINE:
                    if value == "Image":
                        images -= 1
                    elif value == "Link" and address.startswith("xref:"):
                        self._name_reference(address, begin)
                    if marks:
                        append(ELEMENT)
                elif value == "Paragraph":
                    self._end_line()
                else:
                    self._end(value)
            elif images:
                continue
            elif kind == "Code":
                append(self._inline_code(value) if special and special(value) else value)
                if marks:
                    append(ELEMENT)
            elif kind == "Html":
                append(value)
            elif kind == "InlineHtml":
                self._inline_html(value)

    def has_title(self, title: str) -> bool:
        """Whether the page begins with a title of its own, or says this one in a heading."""
        return self._titled or title in self._headings

    def _begin(self, tag: str, details: Any) -> None:
        self._end_line()  # a tight list item has words without a paragraph around them
        if tag == "Item" or tag in _OF_DEFINITIONS:
            self._group = self._lists[0]
        elif tag == "Heading":
            self._level = details["level"]
        elif tag == "CodeBlock":
            if title := _CODE_TITLE.search(details.get("Fenced", "") if type(details) is dict else ""):
                self._layout.add(self._rules.templates.read(title[2].strip()))
        elif tag in _LISTS:
            self._lists.append(self._lists[0] if self._lists else self._layout.new_group())
        elif tag == "Table":
            self._table = self._layout.new_group()

    def _end(self, tag: str) -> None:
        if tag == "TableCell":
            self._cells.append(self._take().replace("\n", " "))
        elif tag in ("TableRow", "TableHead"):
            self._end_row()
        elif tag == "CodeBlock":
            self._end_code()
        elif tag == "HtmlBlock":
            self._end_html()
        elif tag == "Heading":
            self._end_heading()
        else:
            self._end_line()
            if tag == "Item" or tag in _OF_DEFINITIONS:
                self._group = 0
            elif tag in _LISTS:
                self._lists.pop()

    def _end_heading(self) -> None:
        if text := self._take(heading=True):
            self._titled = self._titled or (self._level == "H1" and not self._layout)
            self._layout.add(text)
            self._headings.add(text)
        self._group = 0

    def _name_reference(self, address: str, begin: int) -> None:
        """Put an API's name where its address stands: `<xref:System.String>`, `[](xref:System.String)`."""
        text = "".join(self._parts[begin:])
        if not text.strip() or text == address:
            self._parts[begin:] = [self._rules.reference(address)]

    def _inline_code(self, code: str) -> str:
        code = code if self._code_in_prose else ""
        return self._rules.guard(code) if self._touches else code

    def _inline_html(self, html: str) -> None:
        """Read a tag within a paragraph: nothing stays of it, or a break, or the name that it is."""
        parts = self._parts
        name, closes = name_of(html)
        if not name:
            return
        if not closes:
            if html.endswith("/>"):
                parts.append(self._left_of(name, html))
            else:
                self._open.append((name, len(parts)))
                parts.append(html)
            return
        for place in range(len(self._open) - 1, max(-1, len(self._open) - 65), -1):
            if self._open[place][0] == name:
                begin = self._open[place][1]
                del self._open[place]
                parts[begin] = self._left_of(name, parts[begin])
                if name in SILENT_TAGS:
                    del parts[begin:]
                    self._open = [one for one in self._open if one[1] < begin]
                break
        parts.append(LINE if name in BLOCK_TAGS else "")

    def _end_line(self) -> None:
        if self._parts:
            if len(self._parts) > 2 and "\n" in self._parts and "--" in "".join(self._parts):
                self._mend_table()
            text = self._take()
            if text[:1].isalnum() or _WORD.search(text):
                self._layout.add(text, group=self._group)
                self._group = 0

    def _mend_table(self) -> None:
        """Give a table that is none to the parser (its first rows differ in cells) its rows back."""
        self._resolve_tags()
        text, delimiters = _DELIMITER_ROW.subn("", "".join(self._parts))
        if delimiters:
            rows = (row.strip(" \t|").split("|") for row in text.split("\n"))
            self._parts[:] = [LINE.join(" | ".join(map(str.strip, row)) for row in rows)]

    def _end_row(self) -> None:
        if text := row(self._cells):
            self._layout.add(text, group=self._table)
        self._cells.clear()

    def _end_code(self) -> None:
        code = "".join(self._parts).strip("\n")
        self._parts.clear()
        self._add_code(code)

    def _add_code(self, code: str) -> None:
        if self._keep_code and code.strip():
            if self._rules.templates.found:
                code = self._rules.templates.written(code)
            self._layout.add(code, code=True)
            self._group = 0

    def _end_html(self) -> None:
        html = "".join(self._parts)
        self._parts.clear()
        if (escaped := html_text.without_unclosed(html)) is not None:
            Reader(self._layout, self._rules, self._keep_code, self._code_in_prose).read(escaped)
            return
        rules = self._rules
        guard = rules.guard if self._code_in_prose else lambda _: ""
        groups: dict[int, int] = {0: 0}
        for piece in html_text.words_of_block(html, rules.is_closed, guard, rules.reference):
            if piece.is_code:
                self._add_code(piece.text)
                continue
            group = groups.get(piece.group)
            if group is None:
                group = groups[piece.group] = self._layout.new_group()
            text = "\n".join(
                " ".join(line.split()) for line in rules.visible(rules.applied(piece.text)).split("\n")
            )
            if _WORD.search(text):
                self._layout.add(text.strip("\n"), group=group)
        rules.guarded.clear()

    def _take(self, *, heading: bool = False) -> str:
        """The words read so far as one line, or several where the author broke them."""
        if self._open:
            self._resolve_tags()
        text = "".join(self._parts)
        self._parts.clear()
        if self._change:
            text = self._change(text)
            if self._rules.guarded:
                text = self._rules.unguarded(text)
                self._rules.guarded.clear()
        elif self._touches:
            text = self._rules.applied(text, heading=heading)
            self._rules.guarded.clear()
        if "  " not in text and text.isprintable():  # nothing that is folded below
            return text.strip(" ")
        if not text.isascii():
            text = self._rules.visible(text)
        if LINE not in text:
            return " ".join(text.split())
        lines = (" ".join(line.split()) for line in text.split(LINE))
        return "\n".join(line for line in lines if line)

    def _resolve_tags(self) -> None:
        """Of the tags that nothing in the block closes, keep those that are names to fill in."""
        for name, place in self._open:
            html = self._parts[place]
            if not is_written(name, html, closed=self._rules.is_closed(name), in_sentence=True):
                self._parts[place] = self._left_of(name, html)
        self._open.clear()

    def _left_of(self, name: str, html: str) -> str:
        """What stays of a tag within a paragraph."""
        if name in BLOCK_TAGS:
            return LINE
        if name == "xref" and (address := _ADDRESS.search(html)):
            return self._rules.reference(address[1])
        return {"sup": SUPERSCRIPT, "sub": SUBSCRIPT}.get(name, "")
