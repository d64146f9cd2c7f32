"""HTML tags within a paragraph: what each leaves among its words, and the links and names that they are."""

import re

from tasks.filter_markdown.places import Link
from tasks.filter_markdown.rules import Rules
from tasks.filter_markdown.tags import (
    BLOCK_TAGS,
    LINE,
    SILENT_TAGS,
    SUBSCRIPT,
    SUPERSCRIPT,
    is_written,
    name_of,
)

_ADDRESS = re.compile(r"\b(?:href|uid)=[\"']([^\"']*)")
_NAME = re.compile(r"\b(?:id|name)=[\"']?([^\"'\s<>]+)")


class InlineTags:
    """The tags of one block, beside its words."""

    def __init__(self, parts: list[str], links: list[Link], rules: Rules) -> None:
        self.open: list[tuple[str, int]] = []
        """Those that nothing closed yet, and their places in the words."""
        self.anchor = ""
        """What the last `<a>` without an address is called."""
        self._parts, self._links, self._rules = parts, links, rules

    def read(self, html: str) -> None:
        """Read a tag: nothing stays of it, or a break, or the name that it is."""
        parts = self._parts
        name, closes = name_of(html)
        if not name:
            return
        if not closes:
            if html.endswith("/>"):
                parts.append(self._left_of(name, html))
            else:
                self.open.append((name, len(parts)))
                parts.append(html)
            return
        for place in range(len(self.open) - 1, max(-1, len(self.open) - 65), -1):
            if self.open[place][0] == name:
                begin = self.open[place][1]
                del self.open[place]
                if name == "a":
                    self._end_anchor(parts[begin], begin)
                parts[begin] = self._left_of(name, parts[begin])
                if name in SILENT_TAGS:
                    del parts[begin:]
                    self.open[:] = [one for one in self.open if one[1] < begin]
                    self._links[:] = [link for link in self._links if link[1] <= begin]
                break
        parts.append(LINE if name in BLOCK_TAGS else "")

    def resolve(self) -> None:
        """Of the tags that nothing in the block closes, keep those that are names to fill in."""
        for name, place in self.open:
            html = self._parts[place]
            if not is_written(name, html, closed=self._rules.is_closed(name), in_sentence=True):
                self._parts[place] = self._left_of(name, html)
        self.open.clear()

    def _end_anchor(self, html: str, begin: int) -> None:
        """Note where an `<a>` leads that begins at a place among the words, or what it is called."""
        if address := _ADDRESS.search(html):
            self._links.append((begin + 1, len(self._parts), address[1]))
        elif called := _NAME.search(html):
            self.anchor = called[1]

    def _left_of(self, name: str, html: str) -> str:
        """What stays of a tag within a paragraph."""
        if name in BLOCK_TAGS:
            return LINE
        if name == "xref" and (address := _ADDRESS.search(html)):
            return self._rules.reference(address[1])
        return {"sup": SUPERSCRIPT, "sub": SUBSCRIPT}.get(name, "")
