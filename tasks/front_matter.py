"""Where a document's front matter ends: the YAML block at its very beginning, which is no text."""

import re

_BEGINNING = re.compile(r"\ufeff?\s*---[ \t]*\r?\n(?=\s*(?:[\w.-]+[ \t]*:|#))")
"""Three dashes and then a YAML key or comment; anything else is a horizontal rule."""
_END = re.compile(r"^(?:---|\.\.\.)[ \t]*\r?$\n?", re.MULTILINE)


def front_matter_end(source: str) -> int:
    """The number of characters of `source` that are front matter; 0 where there is none."""
    opening = _BEGINNING.match(source)
    closing = opening and _END.search(source, opening.end())
    return closing.end() if closing else 0
