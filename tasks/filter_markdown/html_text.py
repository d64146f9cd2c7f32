"""The words in raw HTML. Tags, comments, scripts and styles go; what they surround stays.

The Markdown parser has already found where HTML begins and ends: a single tag inside a paragraph, or a
block of lines, which a real HTML parser takes apart here.
"""

import re

from tasks.filter_markdown.forgiving import ForgivingParser

_BLOCK_NAMES = (
    "address article aside blockquote body br button canvas caption center dd details dialog div dl dt "
    "fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6 head header hr html iframe legend li main menu "
    "nav ol optgroup option p pre search section select summary table tbody tfoot thead title tr ul "
    "video audio"
)
_BLOCK_TAGS = frozenset(_BLOCK_NAMES.split())
"""Elements that begin a new line."""
_INLINE_NAMES = (
    "a abbr acronym area b base bdi bdo big cite code col colgroup data datalist del dfn em embed font g i "
    "img input ins kbd label link map mark meta meter nobr noscript object output param path picture "
    "progress q rp rt ruby s samp script slot small source span strike strong style sub sup svg td template "
    "textarea th time track tt u var wbr"
)
_INLINE_TAGS = frozenset(_INLINE_NAMES.split())
_SILENT_TAGS = frozenset({"script", "style", "template", "title", "svg"})
"""Elements whose contents are no words of the document."""
_TAG = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9-]*)\s*(/?)")
_STRAY = re.compile(r"<(?![^<>]*+>)")
"""A `<` that no `>` follows before the next."""

LINE = "\r"
"""Stands for a line break that a tag makes; text has no other carriage return."""


def words_of_tag(tag: str) -> str:
    """What stays of one tag or comment inside a paragraph: nothing, a line break, or a placeholder.

    Authors write `<resource-group>` for a name to fill in. It parses as a tag, but it is part of the
    sentence, so a tag that HTML does not know and that has no attributes stays as it is.
    """
    match = _TAG.match(tag)
    if match is None:
        return ""
    name = match[2].lower()
    if name in _BLOCK_TAGS:
        return LINE
    if name in _INLINE_TAGS or match[1] or match[3] or match.end() != len(tag) - 1:
        return ""
    return tag


def silent_tag(tag: str) -> int:
    """1 for a tag that opens an element without words (`<style>`), -1 for one that closes it, else 0."""
    match = _TAG.match(tag)
    if match is None or match[2].lower() not in _SILENT_TAGS or tag.endswith("/>"):
        return 0
    return -1 if match[1] else 1


def words_of_block(html: str) -> list[tuple[str, bool]]:
    """The pieces of a block of HTML lines, in order, each with whether it is preformatted code.

    A piece that is not code is Markdown still: authors put it right below a tag, and character references
    are left for the Markdown parser to decode.
    """
    html = without_comments(html).partition("<!--")[0]
    if not html.strip():
        return []
    reader = _Reader()
    # What is not closed would make the HTML parser search to the end again and again.
    reader.feed(_STRAY.sub("&lt;", html))
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
    """Collects the words, one paragraph for every element that begins a new line."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[tuple[str, bool]] = []
        self._current: list[str] = []
        self._silent = 0
        self._code = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a line where the element does, and note elements of code or without words."""
        if tag == "pre":
            self._end_piece()
            self._code += 1
        elif tag in _SILENT_TAGS:
            self._silent += 1
        elif tag in _BLOCK_TAGS:
            self._current.append("\n" if self._code else "\n\n")
        elif tag not in _INLINE_TAGS and not attrs:
            self.handle_data(self.get_starttag_text() or "")

    def handle_endtag(self, tag: str) -> None:
        """End what the start tag began; a stray end tag changes nothing."""
        if tag == "pre" and self._code:
            self._end_piece()
            self._code -= 1
        elif tag in _SILENT_TAGS:
            self._silent = max(0, self._silent - 1)
        elif tag in ("td", "th"):
            self._current.append(" | ")
        elif tag in _BLOCK_TAGS:
            self._current.append("\n" if self._code else "\n\n")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element without contents only breaks the line."""
        if tag in _BLOCK_TAGS:
            self._current.append("\n\n")

    def handle_data(self, data: str) -> None:
        """Words between tags."""
        if not self._silent:
            self._current.append(data)

    def handle_entityref(self, name: str) -> None:
        """Left as it is: the Markdown parser decodes it, or code does at its end."""
        self.handle_data(f"&{name};")

    def handle_charref(self, name: str) -> None:
        """As `handle_entityref`."""
        self.handle_data(f"&#{name};")

    def finish(self) -> list[tuple[str, bool]]:
        """All pieces, after `close`."""
        self._end_piece()
        return self._pieces

    def _end_piece(self) -> None:
        text = "".join(self._current)
        self._current = []
        if not text.strip():
            return
        if not self._code:
            # An indent would make code of it, a cell's end without a next cell a stray bar.
            text = "\n".join(line.strip().removesuffix(" |") for line in text.split("\n"))
        self._pieces.append((text, self._code > 0))
