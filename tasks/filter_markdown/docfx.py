"""Markup that documentation builders add to CommonMark: front matter, DocFX directives, Kramdown attributes.

A Markdown parser sees most of it as plain words, so it is taken out of a block's text after the parse,
when code is already told apart.
"""

import re
import textwrap

from tasks.front_matter import front_matter_end

# Quantifiers are possessive (`*+`) and a run of colons is tried at its first colon only, so that no input
# makes these slow.
_OPEN = r"(?<!:):{3,}+[ \t]*+"
_SPANNING = re.compile(_OPEN + r"(?:image|video|code)\b(?!-end).*?:::+", re.DOTALL | re.IGNORECASE)
"""`:::image source="…" alt-text="…":::`, which may go over several lines."""
_NO_LOC = re.compile(_OPEN + r"no-loc[ \t]++text=\"([^\"\n\r]*+)\"[ \t]*+:::+", re.IGNORECASE)
"""`:::no-loc text="Azure":::`: words that must not be translated."""
_IN_LINE = re.compile(_OPEN + r"[A-Za-z][^\n\r:]*+:::+")
"""`:::row:::`, `:::column span="2":::`, `:::image-end:::`."""
_TO_LINE_END = re.compile(r"^[ \t]*+:{3,}[^\n\r]*", re.MULTILINE)
"""`::: zone pivot="cli"`, `::: moniker-end`, a bare `:::`."""
_BRACKETED = re.compile(r"\[!([A-Za-z][\w-]++)([^\[\]]*+(?:\[[^\[\]]*+\][^\[\]]*+)?)\]")
"""`[!NOTE]`, `[!INCLUDE [title](file)]`, `[!VIDEO address]`, `[!div class="…"]`, `[!code-json[](file)]`."""
_WORDS_INSIDE = frozenset({"UICONTROL", "DNL"})
"""`[!UICONTROL Save]`: directives around words of the sentence."""
_ATTRIBUTES = re.compile(r"\{:[^{}\n\r]*\}")
"""Kramdown's `{:target="_blank"}` after a link."""
_HEADING_ID = re.compile(r"\s*\{#[^{}\s]*\}\s*$")

_ROW_MARK = re.compile(r"^[ \t]*+:::row(-end)?+\b[^\n]*+$", re.MULTILINE)
_COLUMN_MARK = re.compile(r"^[ \t]*+:::[^\n]*+$", re.MULTILINE)


def without_front_matter(source: str) -> str:
    """`source` without the YAML block at its very beginning."""
    return source[front_matter_end(source) :]


def unindent_columns(source: str) -> str:
    """`source` with what stands inside `:::row:::` moved to the left, where it is not taken for code."""
    if ":::row-end" not in source:
        return source
    kept: list[str] = []
    position = 0
    begin = None
    for mark in _ROW_MARK.finditer(source):
        if mark[1] is None:
            begin = mark.end() if begin is None else begin
        elif begin is not None:
            kept += (source[position:begin], _unindent(source[begin : mark.start()]))
            position, begin = mark.start(), None
    return "".join((*kept, source[position:]))


def _unindent(row: str) -> str:
    # Every mark becomes a paragraph of its own, and every cell loses its common indent.
    cells = _COLUMN_MARK.split(row)
    return "\n\n".join(["", *(textwrap.dedent(cell).strip("\n") for cell in cells), ""])


def without_directives(text: str) -> str:
    """A block's `text` without DocFX directives; the words that they surround stay."""
    if ":::" in text:
        text = _NO_LOC.sub(r"\1", text)
        text = _SPANNING.sub(" ", text)
        text = _IN_LINE.sub(" ", text)
        text = _TO_LINE_END.sub("", text)
    if "[!" in text:
        text = _BRACKETED.sub(_words_inside, text)
    if "{:" in text:
        text = _ATTRIBUTES.sub("", text)
    return text


def _words_inside(directive: re.Match[str]) -> str:
    return directive[2].strip() if directive[1].upper() in _WORDS_INSIDE else ""


def without_heading_id(text: str) -> str:
    """A heading's `text` without a trailing `{#custom-id}`."""
    return _HEADING_ID.sub("", text)
