"""Python's HTML parser and decoder of references, for any input: no errors, and no more than linear time.

What they can read comes out as they read it. What they refuse (declarations that HTML does not know, numbers
of thousands of digits) is read as a browser would; and where they search to the input's end again and again
(for the end of a tag, of a section), they do it once.
"""

import re
from html import unescape
from html.parser import HTMLParser

_TAG_BEGIN = re.compile(r"<[A-Za-z][^\t\n\r\f />\x00]*[\s/]*")
_ATTRIBUTE = re.compile(
    r"""(?<=['"\s/])[^\s/>][^\s/=>]*(?:\s*=+\s*(?:'[^']*'|"[^"]*"|(?!['"])[^>\s]*)\s*)?(?:\s|/(?!>))*"""
)
"""One attribute, and what parts it from the next: the HTML parser's own rule, which it tries at once."""
_GOES_ON = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ=/")
_SECTION = re.compile(r"<!\[([A-Za-z][-_.A-Za-z0-9]*)")
_ENDLESS = re.compile(r"&#[0-9]{500,}+;?")
"""A character reference of more digits than any character has; Python reads no number of over 4,300."""
_RAW_TAG = re.compile(r"<(/?)(script|style|pre|textarea)\b", re.IGNORECASE)
_UNCLOSED = re.compile(r"^( {0,3})<(?=(?:script|style|pre|textarea)\b)", re.MULTILINE | re.IGNORECASE)
_REFERENCE = re.compile(r"&(?:#[0-9]++|#[xX][0-9a-fA-F]++|[A-Za-z][A-Za-z0-9]*+);")


def decoded(text: str) -> str:
    """`text` with its character references replaced by the characters; without a semicolon it is none."""
    if "&" not in text:
        return text
    return _REFERENCE.sub(lambda found: unescape(found[0]) if len(found[0]) < 500 else "\ufffd", text)


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


class ForgivingParser(HTMLParser):
    """Python's parser, of which no input makes an error, and none a search to the end again and again."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self._never_end: set[int] = set()  # where attributes begin of which a tag's end was sought in vain
        self._open_sections: set[str] = set()  # names of sections of which no end follows

    def close(self) -> None:
        """Read what is left, as what nothing follows."""
        self._never_end.clear()  # the parser has forgotten what it read, so that places have moved
        super().close()

    def check_for_whole_start_tag(self, i: int) -> int:
        """Where the start tag at `i` ends, or -1; what was found for one attribute holds for every tag."""
        begin = _TAG_BEGIN.match(self.rawdata, i)
        seen = [begin.end() if begin else i + 1]
        while seen[-1] not in self._never_end and (found := _ATTRIBUTE.match(self.rawdata, seen[-1])):
            seen.append(found.end())
        end = seen[-1]
        if self.rawdata.startswith(">", end):
            return end + 1
        if self.rawdata.startswith("/>", end):
            return end + 2
        if end not in self._never_end and end < len(self.rawdata) and self.rawdata[end] not in _GOES_ON:
            return end
        self._never_end.update(seen)
        return -1

    def parse_starttag(self, i: int) -> int:
        """Read the start tag at `i`; attributes' references to characters that no number names are let be."""
        try:
            return super().parse_starttag(i)
        except ValueError:
            self.rawdata = _ENDLESS.sub(lambda reference: "x" * len(reference[0]), self.rawdata)
            return super().parse_starttag(i)

    def parse_marked_section(self, i: int, report: bool = True) -> int:
        """Skip the section at `i`; what is none (`<![Screenshot](x)>`) is a comment, as browsers have it."""
        section = _SECTION.match(self.rawdata, i)
        if section and section[1].lower() in self._open_sections:
            return -1
        try:
            end = super().parse_marked_section(i, report)
        except AssertionError:  # the parser's own way to refuse an input
            return self.parse_bogus_comment(i)
        if section and end < 0:
            self._open_sections.add(section[1].lower())
        return end
