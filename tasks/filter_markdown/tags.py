"""What HTML's tags are: which begin a line, which hide their words, and which are names to fill in.

Authors write `<resource-group>`, `List<Object>` or `cp <source> <target>`: it parses as a tag, but is part of
the sentence. Of an element that nothing closes and that has no values, only a name that needs no end is a
tag.
"""

import re

_BLOCK_NAMES = (
    "address article aside blockquote body br button canvas caption center dd details dialog div dl dt "
    "fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6 head header hr html iframe legend li main menu "
    "nav ol optgroup option p pre search section select summary table tbody td tfoot th thead tr ul "
    "video audio"
)
BLOCK_TAGS = frozenset(_BLOCK_NAMES.split())
"""Elements that begin a new line."""
SILENT_TAGS = frozenset({"script", "style", "template", "title", "svg"})
"""Elements whose contents are no words of the document."""
_NO_END_NAMES = "br hr wbr img p li dt dd td th tr thead tbody tfoot caption colgroup col"
_NO_END = frozenset(_NO_END_NAMES.split())
"""Elements that need no closing tag, and mean something without any value."""
_NAMES_TOO_NAMES = (
    "address article audio body button dialog figure footer form head header html iframe legend main menu "
    "nav option search section select summary video"
)
_NAMES_TOO = frozenset(_NAMES_TOO_NAMES.split())
"""Elements that begin a line and whose name an author may mean."""
_SWITCHES_NAMES = (
    "open controls disabled checked selected hidden async defer autoplay loop muted reversed required "
    "readonly multiple nowrap noshade compact markdown border setup scoped"
)
_SWITCHES = frozenset(_SWITCHES_NAMES.split())
"""Attributes that mean something without a value."""
_TAG = re.compile(r"<(/?)([A-Za-z][^\s/<>]*)\s*([^<>]*)>\Z")
_DELIMITER_ROW = re.compile(r"^[ \t]*+\|?+[ \t]*+:?+-{2,}+:?+[ \t]*+\|[-:| \t]*+$\n?", re.MULTILINE)

LINE = "\r"
"""Stands for a line break that a tag makes; text has no other carriage return."""
SUPERSCRIPT, SUBSCRIPT = "\ufdd4", "\ufdd5"
"""Stand where a superscript or a subscript begins."""
_RAISED = re.compile(rf"(?<=[\w)\]]){SUPERSCRIPT}(?=[\w+\u2212-])(?!(?:st|nd|rd|th|tm|sm|TM|SM|er|e|o|a)\b)")
_LOWERED = re.compile(rf"(?<=[0-9]){SUBSCRIPT}(?=[0-9])|(?<=[^\W\d_]){SUBSCRIPT}(?=[^\W\d_])")


def name_of(tag: str) -> tuple[str, bool]:
    """The name of a tag in small letters, and whether it closes; no name for a comment or a declaration."""
    match = _TAG.match(tag)
    return (match[2].lower(), bool(match[1])) if match else ("", False)


def is_written(name: str, tag: str, *, closed: bool, in_sentence: bool) -> bool:
    """Whether an opening tag that nothing in its block closes is a name to fill in, which a reader must see.

    Args:
        closed: whether a closing tag of the name is in the document.
        in_sentence: whether it stands in a paragraph, not in a block of HTML.
    """
    if name in _NO_END or "=" in tag or tag.endswith("/>"):
        return False
    if name in BLOCK_TAGS and name != "title" and (closed or not (in_sentence or name in _NAMES_TOO)):
        return False
    match = _TAG.match(tag)
    words = match[3].lower().split() if match else ()
    return not any(word.strip("/") in _SWITCHES for word in words)


def scripts(text: str) -> str:
    """Text with superscripts and subscripts told apart from what they follow: `2^64`, `x_i`, but `H2O`,
    `1st`."""
    if SUPERSCRIPT in text:
        text = _RAISED.sub("^", text).replace(SUPERSCRIPT, "")
    if SUBSCRIPT in text:
        text = _LOWERED.sub("_", text).replace(SUBSCRIPT, "")
    return text


def mended_table(text: str) -> str:
    """A table that is none to the parser (its first rows differ in cells) with its rows; nothing if none."""
    text, delimiters = _DELIMITER_ROW.subn("", text)
    if not delimiters:
        return ""
    rows = (row.strip(" \t|").split("|") for row in text.split("\n"))
    return LINE.join(" | ".join(map(str.strip, row)) for row in rows)
