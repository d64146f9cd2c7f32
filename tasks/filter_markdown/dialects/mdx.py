"""MDX (Docusaurus, Starlight, Mintlify and others): Markdown with modules and components of JavaScript.

Imports, exports, comments and tags of components go; what a component holds is Markdown, moved to the left,
and the titles in its attributes are text. A capitalised name between angle brackets is a component where it
is closed or has values: `List<Object>` is none. On a page with any of it, `<div>` on a line of its own holds
Markdown too.
"""

import re
from collections.abc import Iterator

from tasks.filter_markdown.blocks import Page
from tasks.filter_markdown.dialects.dialect import Dialect, mark
from tasks.filter_markdown.templates import Piece, between, titles

_BRACES = r"\{(?:[^{}]|\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*+\})*+\})*+\})*+\}"
_ATTRIBUTE = rf"(?:\s++[@:\w-][\w:.@-]*+(?:=(?:\"[^\"]*+\"|'[^']*+'|{_BRACES}))?+|\s++{_BRACES})"
_TAG = re.compile(rf"<(/?)([A-Z][\w.]*+|[a-z]\w*+(?:\.\w++)++)((?:{_ATTRIBUTE})*+)\s*+(/?)>")
_BLOCK_TAG = re.compile(
    rf"^[ \t]*+(<(/?)(div|section|details|figure|article|center|aside|main)((?:{_ATTRIBUTE})*+)\s*+()>)"
    r"(?=[ \t]*$|[ \t]*<)",
    re.MULTILINE,
)
_SUMMARY = re.compile(r"<(/?)(summary|figcaption)(?:\s[^<>{}]*+)?+>")
_FRAGMENT = re.compile(r"^[ \t]*+(</?>)[ \t]*$", re.MULTILINE)
_VALUE = re.compile(
    r"\{(?:[A-Za-z_$][\w$]*+(?:\.[\w$]++)++|\s*\"([^\"{}]*+)\"\s*|\s*'([^'{}]*+)'\s*|\s*`([^`{}]*+)`\s*)\}"
)
_IMPORT = re.compile(r"import\s+(?:[\w*{}\s,$]+?\s+from\s+)?[\"'][^\"']+[\"']\s*;?(?:\s*//.*)?")
_IMPORT_BEGIN = re.compile(r"import\s+(?:\w+\s*,\s*)?\{[\w\s,$]*")
_IMPORT_END = re.compile(r".*\}\s*from\s+[\"'][^\"']+[\"']\s*;?")
_EXPORT = re.compile(
    r"export\s+(?:(?:const|let|var)\s+(?:\w+|[{[][^=]*)\s*[=:;].*|(?:async\s+)?function\b[^(]*\(.*|class\s[^{]*\{.*"
    r"|default\s+(?:(?:async\s+)?(?:function|class)\b.*[({].*|[({].*|[A-Z]\w*;?)"
    r"|(?:\*(?:\s+as\s+\w+)?|\{[\w\s,$]*\})\s+from\s+[\"'].*|\{[\w\s,$]*(?:\}\s*;?)?)"
)
_MODULE = re.compile(
    r"^(?:import\s[^\n]*?(?:\sfrom\s+)?[\"'][^\"'\n]+[\"']|export\s+(?:const|default|function)\s)",
    re.MULTILINE,
)
_MOST_LINES = 400
"""A module's statement is no longer."""
_LINE = "\r"
"""What a tag that ends a line leaves: the cleaning's own line break."""


def templates(source: str) -> Iterator[Piece]:
    """Comments, tags and values, in order."""
    tags = list(_TAG.finditer(source))
    closed = {tag[2] for tag in tags if tag[1]}
    own = [tag for tag in tags if _is_component(tag, closed)]
    comments = list(between(source, "{/*", "*/}"))
    pieces = [Piece(start=start, end=end) for start, end in comments]
    pieces += [_piece(tag, tag.start(), tag.end()) for tag in own]
    if own or comments or _MODULE.search(source):
        pieces += [_piece(tag, tag.start(1), tag.end(1), 1) for tag in _BLOCK_TAG.finditer(source)]
        pieces += [Piece(start=found.start(1), end=found.end(1)) for found in _FRAGMENT.finditer(source)]
        pieces += [
            Piece(start=tag.start(), end=tag.end(), shown=_LINE if tag[1] else "")
            for tag in _SUMMARY.finditer(source)
        ]
        pieces += [
            Piece(start=value.start(), end=value.end(), shown=" ".join(filter(None, value.groups())) or " ")
            for value in _VALUE.finditer(source)
        ]
    end = 0
    for piece in sorted(pieces, key=lambda one: (one.start, -one.end)):
        if piece.start >= end:
            end = piece.end
            yield piece


def _is_component(tag: re.Match[str], closed: set[str]) -> bool:
    name = tag[2]
    if name.isupper() and len(name) < 12:  # `<TABLE>`, `<T>`: HTML of old, or another language's type
        return False
    return bool(tag[1] or tag[4] or "=" in tag[3] or name in closed)


def _piece(tag: re.Match[str], start: int, end: int, first: int = 0) -> Piece:
    slash, name, attributes, void = tag.groups()[first : first + 4]
    if slash:
        return Piece(start=start, end=end, closes=name)
    shown = titles(attributes)
    shown = f" {shown} " if shown else ""
    return Piece(start=start, end=end, shown=shown, opens="" if void else name, dedent=True)


def blocks(page: Page) -> bool:
    """Leave a statement of a module out."""
    text = page.text
    if page.indent or not page.begins or text[:6] not in ("import", "export"):
        return False
    if not (_IMPORT.fullmatch(text) or _IMPORT_BEGIN.fullmatch(text) or _EXPORT.fullmatch(text)):
        return False
    page.say("")
    page.skip(_lines_of_module(page, _depth(text)))
    return True


def _lines_of_module(page: Page, depth: int) -> int:
    """How many of the next lines belong to statements of modules: up to a blank one outside brackets."""
    if depth > 0 and "unbalanced" in page.notes:
        return 0
    first_blank = -1
    for lines in range(_MOST_LINES):
        line = page.following(lines + 1)
        if not line and first_blank < 0:
            first_blank = lines
        if line is None or (not line and depth <= 0):
            break
        if depth <= 0 and line and not line.startswith(("import", "export", ".", "}", ")", "]", "`")):
            return lines
        depth += _depth(line)
    if depth > 0:  # no module that anything could read
        page.notes.add("unbalanced")
        return max(0, first_blank)
    return lines


def _depth(line: str) -> int:
    return sum(line.count(one) for one in "({[") - sum(line.count(one) for one in ")}]")


DIALECT = Dialect(
    name="mdx",
    lines=r"import\s[^\n]*[\"'{]|export\s+(?:const|let|var|default|function|async|class|\*|\{)",
    signs=(
        re.compile(r"<(?:/[A-Z]|[A-Z][\w.]*+(?:\s*/>|\s+(?:[\w@:-]+=|\{))|[a-z]\w*\.\w)"),
        re.compile(r"\{/\*"),
    ),
    templates=templates,
    blocks=blocks,
    marks={
        "module": mark(
            "import ",
            "export ",
            at=r"^(?:import [^\n]+ from [\"'][^\"'\n]+[\"']|export (?:const|default|function) )",
        ),
        "comment": mark("{/*", "*/}", at=r"\{/\*|\*/\}"),
        "component": mark(
            "<", at=r"</[A-Z][\w.]*>|<[A-Z][\w.]*(?: [^<>\n]*)?/>|<[A-Z][\w.]* [\w-]+=[^<>\n]*>"
        ),
    },
)
