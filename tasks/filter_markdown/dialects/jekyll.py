"""Jekyll and other builders that write Liquid or Jinja: tags (`{% include x.html %}`) and values (`{{
site.url }}`).

Tags go, what they surround stays; what `raw` surrounds stays as it is written, for it is meant to be seen,
and what `comment` surrounds goes. A value goes where its name is one of Jekyll's, or the page has tags: `{{
name }}` on a page without any is text.
"""

import re
from collections.abc import Iterator

from tasks.filter_markdown.dialects.dialect import Dialect, mark
from tasks.filter_markdown.templates import Piece, between, titles

CODE = frozenset({"highlight", "code_block", "mermaid"})
_TAG = re.compile(r"\{%-?\s*([A-Za-z_][\w-]*)((?:[^{}%\n]|%(?!\})|\{(?![%{])|\}(?!\})|\n(?![ \t]*\n))*+)%\}")
_VALUE = re.compile(
    r"\{\{-?\s*(?:(?:site|page|include|layout|post|forloop|paginator|jekyll|theme)[.\[]|content\b|['\"]|[\w.\[\]'\"-]+\s*\|)"
)
_ANY_VALUE = re.compile(r"\{\{-?\s*[\w.\[\]'\"-]+(?:\s*\|.*)?\s*-?\}\}", re.DOTALL)
_TEXT = re.compile(r"\{\{-?\s*(?:'([^']*)'|\"([^\"]*)\")\s*(?:\|[^{}]*)?-?\}\}")
_BRACES = re.compile(r"\{\{-?\s*(?:'\{[{%][^'\n]*'|\"\{[{%][^\"\n]*\")\s*-?\}\}")
"""`{{ '{{' }}`: a text in braces is shown."""


def templates(source: str) -> Iterator[Piece]:
    """The tags and values, in order."""
    tags = [
        (start, stop, tag)
        for start, stop in between(source, "{%", "%}")
        if (tag := _TAG.fullmatch(source, start, stop)) and not source.startswith("{{%", max(0, start - 1))
    ]
    values = [(found.start(), found.end(), None) for found in _BRACES.finditer(source)]
    values += [(start, stop, None) for start, stop in _values(source, bool(tags))]
    last = {name: source.rfind(f"end{name}") for name in ("comment", "raw")}
    hiding = ""
    begin = end = 0
    for start, stop, tag in sorted([*tags, *values], key=lambda found: found[0]):
        if start < end:
            continue
        end = stop
        name = tag[1].lower() if tag else ""
        if hiding:
            if name == f"end{hiding}":
                if hiding == "comment":
                    yield Piece(start=begin, end=stop)
                else:
                    yield Piece(start=start, end=stop)
                hiding = ""
            elif hiding == "raw":
                yield Piece(start=start, end=stop, shown=source[start:stop])
            continue
        if last.get(name, -1) >= stop:
            hiding, begin = name, start
            if name == "raw":
                yield Piece(start=start, end=stop)
        elif tag is None:
            text = _TEXT.fullmatch(source, start, stop)
            yield Piece(start=start, end=stop, shown=(text[1] or text[2] or "") if text else "")
        elif name.startswith("end"):
            yield Piece(start=start, end=stop, closes=name[3:].lstrip("_-"))
        else:
            yield Piece(start=start, end=stop, shown=titles(tag[2]), opens=name, code=name in CODE)


def _values(source: str, tagged: bool) -> Iterator[tuple[int, int]]:
    for start, stop in between(source, "{{", "}}"):
        if source.startswith("$", max(0, start - 1)):  # another program's: `${{ github.ref }}`
            continue
        known = _VALUE.match(source, start, stop) or (tagged and _ANY_VALUE.fullmatch(source, start, stop))
        if known and "\n\n" not in source[start:stop]:
            yield start, stop


DIALECT = Dialect(
    name="jekyll",
    signs=(re.compile(r"\{[%{]"),),
    templates=templates,
    marks={
        "tag": mark("{%", "%}", at=r"\{%-?\s*[A-Za-z_]|-?%\}"),
        "value": mark("{{", at=r"(?<!\$)\{\{-?\s*(?:site|page|include|layout|post)\."),
        "attributes": mark("{:", at=r"\{:[ \t]*[.#][\w-]+[^{}\n]*\}|\{:[ \t]*toc[ \t]*\}|\{::[^{}\n]*\}"),
    },
)
