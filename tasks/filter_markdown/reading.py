"""The parser's events of one document, followed and laid out as words."""

import re
from collections.abc import Iterable
from typing import Any

import pyromark

from tasks.filter_markdown import html_text
from tasks.filter_markdown.attributes import ELEMENT
from tasks.filter_markdown.forgiving import without_unclosed
from tasks.filter_markdown.inline_html import InlineTags
from tasks.filter_markdown.layout import Layout, links_in_row, row
from tasks.filter_markdown.places import Link, parted, placed
from tasks.filter_markdown.rules import SPECIAL, Rules
from tasks.filter_markdown.tags import LINE, mended_table

_INLINE = frozenset({"Emphasis", "Strong", "Strikethrough", "Superscript", "Subscript", "Link", "Image"})
_NOTHING_BEGINS = _INLINE | {"TableCell", "TableRow", "TableHead"}
_OF_DEFINITIONS = frozenset({"DefinitionListTitle", "DefinitionListDefinition"})
_LISTS = frozenset({"List", "DefinitionList"})
_CODE_TITLE = re.compile(r"\btitle=([\"'])([^\"']*\w[^\"']*)\1")
_ANY = re.compile("")
_WORD = re.compile(r"\w")
_LEVELS = {f"H{level}": level for level in range(1, 7)}
_HEADING_ID = re.compile(r"\{:?[ \t]*+#([\w:.-]++)[^{}]*+\}\s*+\Z")

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
        self._guarded = rules.guarded
        self._parts: list[str] = []  # the words of the block that is being read
        self._special = (
            _ANY.search if not code_in_prose or rules.role else (SPECIAL.search if rules.touches else None)
        )
        self._level = 0
        self._group = 0  # the group of the next line: its list's at the beginning of an item, else 0
        self._lists: list[int] = []
        self._table = 0
        self._cells: list[str] = []
        self._links: list[Link] = []  # of the block that is being read, by their places among its words
        self._placed: list[Link] = []  # of the block whose words were taken last, by their places in them
        self._cell_links: list[tuple[int, list[Link]]] = []
        self._tags = InlineTags(self._parts, self._links, rules)
        self._open = self._tags.open

    def read(self, source: str) -> None:
        """Lay out the words of `source`."""
        parts, append, special = self._parts, self._parts.append, self._special
        marks, images, address, begin = self._marks_elements, 0, "", 0
        for event in _events(source, self._rules):
            if type(event) is str:
                append("\n" if event == "SoftBreak" else LINE)
                continue
            kind, value = event.popitem()
            if kind == "Text":
                if not images:
                    append(value)
            elif kind == "Start":
                if type(value) is str:
                    if value not in _NOTHING_BEGINS and (parts or value != "Paragraph"):
                        self._begin(value, None)
                    continue
                tag, details = value.popitem()
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
                    elif value == "Link":
                        self._end_link(address, begin)
                    if marks:
                        append(ELEMENT)
                elif value == "Paragraph":
                    if parts:
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
                self._tags.read(value)

    def has_title(self, title: str) -> bool:
        """Whether the page begins with a title of its own, or says this one in a heading."""
        return self._titled or title in self._headings

    def _begin(self, tag: str, details: Any) -> None:
        if self._parts:  # a tight list item has words without a paragraph around them
            self._end_line()
        if tag == "Item" or tag in _OF_DEFINITIONS:
            self._group = self._lists[0]
        elif tag == "Heading":
            self._level, self._tags.anchor = _LEVELS[details["level"]], ""
        elif tag == "CodeBlock":
            title = _CODE_TITLE.search(details.get("Fenced", "") if type(details) is dict else "")
            if title and (words := self._rules.templates.read(title[2].strip())):
                self._layout.add(words)
        elif tag in _LISTS:
            self._lists.append(self._lists[0] if self._lists else self._layout.new_group())
        elif tag == "Table":
            self._table = self._layout.new_group()

    def _end(self, tag: str) -> None:
        if tag == "TableCell":
            text = self._take().replace("\n", " ")
            if self._placed:
                self._cell_links.append((len(self._cells), self._placed))
                self._placed = []
            self._cells.append(text)
        elif tag in ("TableRow", "TableHead"):
            self._end_row()
        elif tag == "CodeBlock":
            self._end_code()
        elif tag == "HtmlBlock":
            self._end_html()
        elif tag == "Heading":
            self._end_heading()
        else:
            if self._parts:
                self._end_line()
            if tag == "Item" or tag in _OF_DEFINITIONS:
                self._group = 0
            elif tag in _LISTS:
                self._lists.pop()

    def _end_heading(self) -> None:
        if self._parts and "}" in self._parts[-1] and (own := _HEADING_ID.search("".join(self._parts))):
            self._tags.anchor = own[1]
        if text := self._take(heading=True):
            self._titled = self._titled or (self._level == 1 and not self._layout)
            self._layout.add(text, links=self._placed, level=self._level, anchor=self._tags.anchor)
            self._headings.add(text)
            if self._placed:
                self._placed = []
        self._group = 0

    def _end_link(self, address: str, begin: int) -> None:
        if address.startswith("xref:"):
            self._name_reference(address, begin)
        if len(self._parts) > begin:
            if self._rules.templates.found:
                address = self._rules.templates.written(address)
            self._links.append((begin, len(self._parts), address))

    def _name_reference(self, address: str, begin: int) -> None:
        """Put an API's name where its address stands: `<xref:System.String>`, `[](xref:System.String)`."""
        text = "".join(self._parts[begin:])
        if not text.strip() or text == address:
            self._parts[begin:] = [self._rules.reference(address)]

    def _inline_code(self, code: str) -> str:
        code = code if self._code_in_prose else ""
        return self._rules.guard(code) if self._touches else code

    def _end_line(self) -> None:
        mended = ""
        if len(self._parts) > 2 and "\n" in self._parts and "--" in "".join(self._parts):
            self._tags.resolve()
            mended = mended_table("".join(self._parts))
        text = self._take(mended)
        if text[:1].isalnum() or _WORD.search(text):
            self._layout.add(text, group=self._group, links=self._placed)
            self._group = 0
        if self._placed:
            self._placed = []

    def _end_row(self) -> None:
        if text := row(self._cells):
            links = links_in_row(self._cells, self._cell_links) if self._cell_links else ()
            self._layout.add(text, group=self._table, links=links)
        self._cells.clear()
        if self._cell_links:
            self._cell_links.clear()

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
        if (escaped := without_unclosed(html)) is not None:
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
            text = self._lines_of_html(piece.text)
            if _WORD.search(text):
                links = placed(text, *parted(piece.text, piece.links), self._lines_of_html)
                self._layout.add(text, group=group, links=links, level=piece.level, anchor=piece.anchor)
        rules.guarded.clear()

    def _lines_of_html(self, text: str) -> str:
        """Words in HTML as they are laid out."""
        text = self._rules.visible(self._rules.applied(text))
        return "\n".join(" ".join(line.split()) for line in text.split("\n")).strip("\n")

    def _take(self, mended: str = "", *, heading: bool = False) -> str:
        """The words read so far, or what they were mended to, as one line, or as the author broke them."""
        if self._open:
            self._tags.resolve()
        text = self._worded(mended or "".join(self._parts), heading)
        if self._links:
            self._placed = placed(text, self._parts, self._links, self._worded)
            self._links.clear()
        self._parts.clear()
        if self._guarded:
            self._guarded.clear()
        return text

    def _worded(self, text: str, heading: bool = False) -> str:
        """Words of a block as they are laid out."""
        if self._change:
            text = self._change(text)
            if self._guarded:
                text = self._rules.unguarded(text)
        elif self._touches:
            text = self._rules.applied(text, heading=heading)
        if "  " not in text and text.isprintable():  # nothing that is folded below
            return text.strip(" ")
        if not text.isascii():
            text = self._rules.visible(text)
        if LINE not in text:
            return " ".join(text.split())
        lines = (" ".join(line.split()) for line in text.split(LINE))
        return "\n".join(line for line in lines if line)
