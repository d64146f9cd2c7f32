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
    return Counter({name: count for name, mark in marks().items() if (count := mark.count(text))})
