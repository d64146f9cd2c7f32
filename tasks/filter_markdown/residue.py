"""Marks of HTML, Markdown and the builders' dialects that cleaning has left in prose."""

import re
from collections import Counter
from functools import cache

from tasks.filter_markdown.dialects.dialect import Mark, mark
from tasks.filter_markdown.dialects.known import dialects

TAGS = (
    "a|b|blockquote|br|center|code|dd|details|div|dl|dt|em|figure|font|h[1-6]|hr|i|iframe|img|kbd|li|link|meta|ol|p|"
    "pre|script|section|small|span|strong|style|sub|summary|sup|svg|table|tbody|td|th|thead|tr|u|ul|video"
)
"""Names that no author takes for a placeholder, as in `cp <source> <target>`."""
ANY_BUILDER = {
    "html: tag": mark("<", at=rf"</?(?:{TAGS})(?:\s[^<>\n]*)?/?>", flags=re.IGNORECASE),
    "html: comment": mark("<!--", at="<!--"),
    "markdown: link": mark("](", at=r"\]\(\S"),
    "markdown: fence": mark("```", at="^[ ]*```"),
}
"""What no builder leaves in a page that it shows."""
PERHAPS = {"template: value": mark("{{", at=r"\{\{(?![<%])[^\n{}]*\}\}")}
"""What an author may have written to be seen, as in Jekyll's `raw`."""


@cache
def marks() -> dict[str, Mark]:
    """All that are known: those of any builder's pages, and those of each dialect's own table."""
    of_dialects = {f"{one.name}: {name}": mark for one in dialects() for name, mark in one.marks.items()}
    return ANY_BUILDER | PERHAPS | of_dialects


def residue(text: str) -> Counter[str]:
    """How often each mark stands in `text`, which is prose without code."""
    found: Counter[str] = Counter()
    for character, name, sign, known in _by_sign():
        # A character is found ten times as fast as a word, and most prose has few of these.
        if character in text and sign in text and name not in found and (count := known.count(text)):
            found[name] = count
    return found


@cache
def _by_sign() -> list[tuple[str, str, str, Mark]]:
    """Each sign with its rarest character, as prose goes, its mark and the mark's name."""
    return [
        (next((one for one in sign if not one.isalnum() and one not in " :"), sign[0]), name, sign, mark)
        for name, mark in marks().items()
        for sign in mark.signs
    ]
