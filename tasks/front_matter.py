"""A document's front matter: the mapping at its very top, which is no text; the title and description in it.

Front matter is what a parser of YAML, TOML or JSON takes for a mapping between the marks of its kind (`---`,
`+++`, the braces of the object itself), after nothing but a byte order mark, blank lines and comments. A rule
at the top of a page, or one inside a fence, is none. Most front matter is plain `key: value` lines, which are
told by one pattern: the parser, which would take a sixth of the time of cleaning a page, reads the others.
"""

import json
import re
import tomllib
from typing import Any, NamedTuple

import yaml

_TOP = re.compile(r"\ufeff?+\s*+(?:<!--(?:(?!-->).)*+-->\s*+)*+", re.DOTALL)
"""What may stand before it."""
_DASHES = re.compile(r"---(yaml|toml|json)?[ \t]*\r?\n")
_PLUSES = re.compile(r"\+\+\+[ \t]*\r?\n")
_DASHES_END = re.compile(r"^(?:---|\.\.\.)[ \t]*\r?$\n?", re.MULTILINE)
_PLUSES_END = re.compile(r"^\+\+\+[ \t]*\r?$\n?", re.MULTILINE)
_WORDS = r"[A-Za-z0-9/][^\r\n:#\[\]{}]*+(?:[:#](?=[^\s:#])[^\r\n:#\[\]{}]*+)*+"
_PLAIN = rf"(?:\"[^\"\\\r\n]*+\"|'[^'\r\n]*+'|{_WORDS})"
_LINE_END = r"[ \t]*+(?:\r?\n|\Z)"
_ITEM = rf"- {_PLAIN}{_LINE_END}"
_EMPTY = r"(?:[ ]*+(?:\#[^\n]*+)?+\r?\n|[ ]*+\#[^\n]*+\Z)"
_PLAIN_LINES = re.compile(
    rf"{_EMPTY}*+(?:[A-Za-z_][\w.-]*+:(?:[ ]++{_PLAIN}{_LINE_END}"
    rf"|{_LINE_END}(?:(?:{_ITEM}|{_EMPTY})++|(?:  {_ITEM}|{_EMPTY})++|(?:    {_ITEM}|{_EMPTY})++)?+)"
    rf"{_EMPTY}*+)++"
)
"""Lines of a key and a plain value, or of a key and a list: what every parser takes for a mapping."""
_NAMES = ("title", "description")
_PLAIN_VALUE = {name: re.compile(rf"^{name}:[ ]++({_PLAIN})[ \t]*\r?$", re.MULTILINE) for name in _NAMES}
_ANY_VALUE = {name: re.compile(rf"^{name}:([^\n]*)$", re.MULTILINE) for name in _NAMES}
_KEYS = re.compile(r"(?:[\w.-]+[ \t]*:(?:[ \t].*)?|[ \t]+.*|- .*|#.*)")
_KNOWN = re.compile(r"^(?:title|description|layout|author|slug|weight|ms\.[a-z]+|sidebar_\w+):", re.MULTILINE)
_NESTED = re.compile(r"(?:[-?:][ \t]+){20}")
DEEPEST = 500
"""Brackets in YAML: its parser takes a hundred thousand in each other for a reason to end the process."""
LONGEST = 100_000
"""Characters of front matter: more is no such thing, and is not parsed."""


class FrontMatter(NamedTuple):
    """What a page's front matter says of it."""

    title: str = ""
    description: str = ""
    end: int = 0
    """The number of characters that are front matter."""


class _Found(NamedTuple):
    """Front matter as it stands in a page."""

    kind: str
    block: str
    """What stands between its marks."""
    end: int
    mapping: dict[Any, Any] | None
    """What a parser makes of it; None where it refuses, or was not asked."""
    plain: bool = False
    """Whether it is lines of plain values alone, so that no parser need be asked."""


def front_matter_end(source: str) -> int:
    """The number of characters of `source` that are front matter; 0 where there is none."""
    found = _found(source)
    return found.end if found else 0


def read_front_matter(source: str) -> FrontMatter:
    """The `title` and the `description` of the front matter, each empty where it has none, and its end."""
    found = _found(source)
    if found is None:
        return FrontMatter()
    return FrontMatter(_value(found, "title"), _value(found, "description"), found.end)


def front_matter_value(source: str, name: str) -> str:
    """A field of the front matter as one line, the first of a list, or nothing; its name may have dots."""
    found = _found(source)
    if found is None or name not in found.block:
        return ""
    value = (found.mapping or _mapping(found.kind, found.block) or {}).get(name)
    first = value[0] if isinstance(value, list) and value else value
    return " ".join(str(first).split()) if isinstance(first, str | int | float) else ""


def _value(found: _Found, name: str) -> str:
    """A string of the front matter as one line, or nothing."""
    if name not in found.block:
        return ""
    if found.kind == "yaml" and (plain := _plain(name, found.block)):
        return plain[1].strip("\"' \t")
    if found.plain:
        return ""
    if found.mapping is None and (line := _ANY_VALUE[name].search(found.block)):
        return line[1].strip("\"' \t\r")
    value = (found.mapping or {}).get(name)
    return " ".join(value.split()) if isinstance(value, str) else ""


def _plain(name: str, block: str) -> re.Match[str] | None:
    """The line of a plain value, which is mostly the first that begins with its name."""
    begin = 0 if block.startswith(f"{name}:") else block.find(f"\n{name}:") + 1
    if not begin and not block.startswith(f"{name}:"):
        return None
    return _PLAIN_VALUE[name].match(block, begin) or _PLAIN_VALUE[name].search(block, begin)


def _found(source: str) -> _Found | None:
    """The front matter at the top of a page."""
    start = 0
    if source[:3] not in ("---", "+++"):
        top = _TOP.match(source)
        start = top.end() if top else 0
    if source.startswith("{", start):
        return _json_object(source, start)
    opening = _DASHES.match(source, start) or _PLUSES.match(source, start)
    if opening is None:
        return None
    dashes = source.startswith("-", start)
    closing = (_DASHES_END if dashes else _PLUSES_END).search(source, opening.end())
    if closing is None or closing.start() - opening.end() > LONGEST:
        return None
    kind = (opening[1] or "yaml") if dashes else "toml"
    block = source[opening.end() : closing.start()]
    if kind == "yaml" and _PLAIN_LINES.fullmatch(block):
        return _Found(kind, block, closing.end(), None, plain=True)
    mapping = _mapping(kind, block)
    return _Found(kind, block, closing.end(), mapping) if mapping or _nearly(kind, block) else None


def _json_object(source: str, start: int) -> _Found | None:
    """An object at the very top, that ends a line."""
    if not source[start + 1 : start + 200].lstrip().startswith('"'):
        return None
    try:
        value, length = json.JSONDecoder().raw_decode(source[start : start + LONGEST])
    except (ValueError, RecursionError):
        return None
    rest = re.compile(r"[ \t]*(?:\r?\n|\Z)").match(source, start + length)
    if not isinstance(value, dict) or rest is None:
        return None
    return _Found("json", source[start : start + length], rest.end(), value)


def _mapping(kind: str, block: str) -> dict[Any, Any] | None:
    """What a parser of this kind makes of a block, where that is a mapping of something."""
    try:
        if kind == "toml":
            value: Any = tomllib.loads(block.replace("\r\n", "\n"))
        elif kind == "json":
            value = json.loads(block)
        elif block.count("[") + block.count("{") > DEEPEST or _NESTED.search(block):
            return None
        else:
            # Nothing is made of the values, so that no date of a 13th month is an error.
            value = yaml.load(block, getattr(yaml, "CBaseLoader", yaml.BaseLoader))
    except (ValueError, RecursionError, yaml.YAMLError):
        return None
    return value if isinstance(value, dict) and value else None


def _nearly(kind: str, block: str) -> bool:
    """Whether YAML that its parser refuses (`title: A: B`) is front matter all the same: keys, all known."""
    lines = block.rstrip().split("\n")
    return (
        kind == "yaml"
        and len(lines) > 1
        and _KNOWN.search(block) is not None
        and all(_KEYS.fullmatch(line.rstrip("\r")) for line in lines)
    )
