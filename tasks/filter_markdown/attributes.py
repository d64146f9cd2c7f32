"""Attribute lists: what builders let an author write in braces behind an element, or at the end of a heading.

`{#id .class key="value"}` with or without the colon of Kramdown. Braces of a sentence (`{:ok, pid}`, `{id}`)
are none: every item must be an id, a class, a value or a word that Kramdown knows.
"""

import re

ELEMENT = "\ufdd2"
"""Stands where a link, an image, emphasis or code ends, for only there may a list stand in a sentence."""
MARKS = ("{#", "{ #", "{.", "{ .", "{:", "={", '"}', "'}", "}")
_ITEM = (
    r"(?:[#.][\w:.-]++|[\w@:.-]++=(?:\"[^\"{}]*+\"|'[^'{}]*+'|[^\s\"'{}=]++)"
    r"|(?:toc|no_toc|footnotes|nomarkdown|unnumbered|unlisted|-)(?![\w:.-]))"
)
_LIST = rf"\\?\{{:?[ \t]*+{_ITEM}(?:[ \t]++{_ITEM})*+[ \t]*+\\?\}}"
_WHOLE = re.compile(_LIST)
_OF_ELEMENT = re.compile(rf"{ELEMENT}{_LIST}")
_OWN_LINE = re.compile(rf"^[ \t]*+{_LIST}[ \t]*+$", re.MULTILINE)
_MOST_AT_END = 3
_APART = (" ", "\t", "\n", "\r", ELEMENT)
_CONTENTS = re.compile(
    r"(?:the |a )?(?:toc|table of contents|contents)\b[^\n]*\n\{:[ \t]*toc[ \t]*\}\s*", re.IGNORECASE
)
"""An item that Kramdown replaces by a table of contents."""
_OPTIONS = re.compile(r"\{::[^{}\n]*+\}")
"""`{::options … /}`, `{::nomarkdown}`: Kramdown's extensions."""


def without_attributes(text: str) -> str:
    """A block's `text` without attribute lists."""
    if "{" in text:
        if "{:" in text:
            text = "" if _CONTENTS.fullmatch(text) else _OPTIONS.sub("", text)
        text = _OF_ELEMENT.sub("", text)
        text = _OWN_LINE.sub("", text)
        text = _without_last(text, spaced=True)
    return text.replace(ELEMENT, "")


def without_heading_id(text: str) -> str:
    """A heading's `text` without the lists at its end."""
    return _without_last(text, spaced=False).replace(ELEMENT, "")


def _without_last(text: str, *, spaced: bool) -> str:
    """`text` without the lists at its end; `spaced` where a space or an element must be before them."""
    for _ in range(_MOST_AT_END):
        text = text.rstrip()
        begin = text.rfind("{") if text.endswith("}") else -1
        before = text[: max(0, begin)].removesuffix("\\")
        known = begin >= 0 and _WHOLE.fullmatch(text, begin)
        if not known or (spaced and before and not before.endswith(_APART)):
            break
        text = before
    return text
