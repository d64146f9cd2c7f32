"""Hugo: shortcodes of both kinds (`{{< >}}` and `{{% %}}`), which may hold text, code, or nothing.

A shortcode goes and what it holds stays, with the title that it gives. Its comment form (`{{</* note */>}}`)
is how an author writes one for the reader to see.
"""

import re
from collections.abc import Iterator

from tasks.filter_markdown.dialects.dialect import Dialect, mark
from tasks.filter_markdown.templates import Piece, between, titles

_CODE_NAMES = "highlight code-toggle code codeblock command output mermaid gravizo math katex"
CODE = frozenset(_CODE_NAMES.split())
"""Shortcodes whose content is code."""
_OF_FILE = re.compile(r"(?:^|\s)(?:file|filename|codeLang)\s*=")
"""An argument that says of which file the content is: then it is code, whatever the shortcode's name."""
_TITLED_NAMES = (
    "tab details expand collapse accordion accordion-item admonition note notice warning tip callout "
    "hint alert card section step box panel panel-item"
)
TITLED = frozenset(_TITLED_NAMES.split())
"""Shortcodes whose quoted argument is a title."""
_KINDS_NAMES = "note tip info warning danger caution important success primary secondary error question"
KINDS = frozenset(_KINDS_NAMES.split())
_TAG = re.compile(r"\{\{([<%])\s*(/\*)?\s*(/?)\s*([\w./-]*)(.*?)(\*/)?\s*(/?)\s*[>%]\}\}", re.DOTALL)
_QUOTED = re.compile(r"(?<![=\w])\"([^\"]*+)\"|(?<![=\w])`([^`]*+)`")


def templates(source: str) -> Iterator[Piece]:
    """The shortcodes, in order."""
    ranges = sorted([*between(source, "{{<", ">}}"), *between(source, "{{%", "%}}")])
    end = 0
    for start, stop in ranges:
        whole = start >= end and "\n\n" not in source[start:stop]
        tag = _TAG.fullmatch(source, start, stop) if whole else None
        if tag is None:
            continue
        end = stop
        _, comment, slash, name, arguments, _, closed = tag.groups()
        if comment:
            inside = source[start + 3 : stop - 3].strip()
            shown = source[start : start + 3] + " " + inside[2:-2].strip() + " " + source[stop - 3 : stop]
            yield Piece(start=start, end=stop, shown=shown)
        elif slash:
            yield Piece(start=start, end=stop, closes=name.lower())
        elif closed:
            yield Piece(start=start, end=stop, shown=_title(name.lower(), arguments))
        else:
            low = name.lower()
            code = low in CODE or ("=" in arguments and _OF_FILE.search(arguments) is not None)
            yield Piece(start=start, end=stop, shown=_title(low, arguments), opens=low, code=code)


def _title(name: str, arguments: str) -> str:
    if '"' not in arguments and "`" not in arguments and "'" not in arguments:
        return ""
    found = titles(arguments)
    if name == "tab" and not found and (named := re.search(r"\bname=\"([^\"]*)\"", arguments)):
        return named[1]
    if found or name not in TITLED:
        return found
    quoted = [value[0] or value[1] for value in _QUOTED.findall(arguments)]
    return next((value for value in quoted if value and value.lower() not in KINDS), "")


DIALECT = Dialect(
    name="hugo",
    signs=(re.compile(r"\{\{[<%]"),),
    templates=templates,
    marks={"shortcode": mark("{{", "}}", at=r"\{\{[<%]|[>%]\}\}")},
)
