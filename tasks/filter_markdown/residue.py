"""Marks of the builders' dialects that cleaning has left in prose: what a person looks for in a text."""

import re
from collections import Counter

TAGS = (
    "a|b|blockquote|br|center|code|dd|details|div|dl|dt|em|figure|font|h[1-6]|hr|i|iframe|img|kbd|li|link|meta|ol|p|"
    "pre|script|section|small|span|strong|style|sub|summary|sup|svg|table|tbody|td|th|thead|tr|u|ul|video"
)
"""Names that no author takes for a placeholder, as in `cp <source> <target>`."""
MARKS: tuple[tuple[str, str, re.Pattern[str]], ...] = (
    ("a tag of HTML", "<", re.compile(rf"</?(?:{TAGS})(?:\s[^<>\n]*)?/?>", re.IGNORECASE)),
    ("a comment's mark", "<!--", re.compile("<!--")),
    ("a link's target", "](", re.compile(r"\]\(\S")),
    ("a fence", "```", re.compile("\n[ ]*```")),
    ("{{ … }}", "{{", re.compile(r"\{\{[^\n{}]*\}\}")),
    ("{% … %}", "{%", re.compile(r"\{%[^\n]*%\}")),
    (":::", ":::", re.compile("\n[ ]*:::")),
    ("!!!", "!!!", re.compile(r"\n[ ]*!!!\+? \w")),
    ("???", "???", re.compile(r"\n[ ]*\?\?\?\+? \w")),
    ("[!NOTE] and its kin", "[!", re.compile(r"\[![A-Za-z]+\]")),
    ("import", "\nimport ", re.compile(r"\nimport [^\n]* from ['\"]")),
    ("export", "\nexport ", re.compile(r"\nexport (?:default|const) ")),
    ("[TOC]", "TOC", re.compile(r"\n\[(?:TOC|\[_TOC_\])\]")),
)
"""What it is called, what is in any text that has it, and how it stands in prose."""


def residue(text: str) -> Counter[str]:
    """How often each mark stands in `text`, which is prose without code."""
    text = f"\n{text}"  # so that a line begins behind a line's end, wherever it stands
    found = {name: len(pattern.findall(text)) for name, sign, pattern in MARKS if sign in text}
    return Counter({name: count for name, count in found.items() if count})
