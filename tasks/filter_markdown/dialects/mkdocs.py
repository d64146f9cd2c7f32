"""MkDocs, with the extensions of Python-Markdown and PyMdown that its themes ask for.

Admonitions (`!!! note "Title"`), details (`???`) and tabs (`=== "Linux"`) hold what is indented below them,
blocks (`/// tab | Linux`) what stands before their end. Snippets and included files are not in the
repository's page, so their lines go. Keys, marks and icons are within sentences.
"""

import re

from tasks.filter_markdown.blocks import Page
from tasks.filter_markdown.dialects.dialect import Dialect, Mark, mark

INDENT = 4
_ADMONITION = re.compile(
    r"(?:!!!|\?\?\?\+?)[ \t]*+([\w-]+(?:[ \t]+[\w-]+)*+)?[ \t]*+(?:\"(.*)\"|'(.*)')?[ \t]*(?:\{[^{}]*\})?"
)
_TAB = re.compile(r"===[+!]{0,2}[ \t]++(?:\"(.*)\"|'(.*)')[ \t]*")
_BLOCK = re.compile(r"(/{3,}+)[ \t]*([\w-]+)[ \t]*(?:\|[ \t]*(.*))?")
_BLOCK_END = r"^[ \t>]*/{3,}[ \t]*$"
_BLOCKS_NAMES = (
    "admonition details tab html define caption figure-caption table-caption note tip info warning danger "
    "error abstract attention caution example failure hint important question quote success bug new "
    "settings"
)
_BLOCKS = frozenset(_BLOCKS_NAMES.split())
_SNIPPET = re.compile(r"(?:;?-{1,2}8<-{1,2})(.*)")
_FILE = re.compile(r"\{\*[^{}]*\*\}")
_API = re.compile(r"(:::)[ \t]+([A-Za-z_][\w]*(?:\.\w+)+)[ \t]*")
_ABBREVIATION = re.compile(r"\*\[[^\[\]]+\]:.*")
_MD_IN_HTML = re.compile(r"<(div|section|details|figure|article|aside|center)\b[^<>]*\bmarkdown\b[^<>]*>")
_HTML_END = re.compile(r"</(div|section|details|figure|article|aside|center)>")

_KEYS = re.compile(r"(?<![\w+])\+\+(?=[\w\"])([\w \"-]+(?:\+[\w \"-]+)*)\+\+(?![\w+])")
_MARKED = re.compile(r"(?<![\w=])==(?=[^\s=])([^=\n]+)(?<=[^\s=])==(?![\w=])")
_INSERTED = re.compile(r"(?<![\w^])\^\^(?=[^\s^])([^^\n]+)(?<=[^\s^])\^\^(?![\w^])")
_RAISED = re.compile(r"(?<=[\w)])\^([\w+-]{1,8})\^(?!\^)")
_LOWERED = re.compile(r"(?<=[A-Za-z)])~([\w+-]{1,8})~(?!~)")
_FAMILIES = ("material", "fontawesome", "octicons", "simple", "custom", "bootstrap", "lucide")
_ICON = re.compile(rf":(?:{'|'.join(_FAMILIES)})-[\w-]+:")
_CRITIC = re.compile(r"\{(\+\+|--|==|~~|>>)([^{}]*?)(\+\+|--|==|~~|<<)\}")
_FIXED = re.compile(r"\[(?:TOC|toc)\]")


def blocks(page: Page) -> bool:
    """Read a line that begins a block of MkDocs, or stands for a file."""
    text = page.text
    first = text[:1]
    if first in "!?" and (found := _ADMONITION.fullmatch(text)):
        page.say(found[2] or found[3] or "")
        page.enter(INDENT)
    elif first == "=" and (found := _TAB.fullmatch(text)):
        page.say(found[1] or found[2] or "")
        page.enter(INDENT)
    elif first == "/" and (found := _BLOCK.fullmatch(text)) and found[2].lower() in _BLOCKS:
        return _block(page, found)
    elif first in "-;" and (found := _SNIPPET.fullmatch(text)):
        _snippet(page, found[1].strip())
    elif first == "{" and _FILE.fullmatch(text):
        page.say("")
    elif first == ":" and (found := _API.fullmatch(text)):
        page.say(found[2])
        while (line := page.following()) and re.match(r"[\w-]+:", line):
            page.skip()
    elif (first == "*" and _ABBREVIATION.fullmatch(text)) or (first == "[" and _FIXED.fullmatch(text)):
        page.say("")
    elif first == "<" and (found := _MD_IN_HTML.fullmatch(text)):
        name = found[1]
        page.say("")
        if page.comes_later(f"^[ \\t]*</{name}>"):
            page.enclose(lambda line: line == f"</{name}>", dedent=True)
    else:
        return False
    return True


def _block(page: Page, found: re.Match[str]) -> bool:
    if not page.comes_later(_BLOCK_END):
        return False
    mark = found[1]
    page.say((found[3] or "").strip())
    while (line := page.following()) and re.match(r"[\w-]+:", line):
        page.skip()
    page.enclose(lambda text: len(text) >= len(mark) and not text.strip("/"))
    return True


def _snippet(page: Page, file: str) -> None:
    page.say("")
    if not file:  # names of files stand between two marks
        for _ in range(100):
            line = page.following()
            if line is None or not line:
                break
            page.skip()
            if _SNIPPET.fullmatch(line):
                break


def text(words: str) -> str:
    """A block's words without the marks of PyMdown."""
    if "{" in words:
        words = _CRITIC.sub(_edited, words)
    if "++" in words:
        words = _KEYS.sub(lambda keys: keys[1].replace('"', ""), words)
    if "==" in words:
        words = _MARKED.sub(r"\1", words)
    if "^^" in words:
        words = _INSERTED.sub(r"\1", words)
    if "^" in words:
        words = _RAISED.sub(r"^\1", words)
    if "~" in words:
        words = _LOWERED.sub(r"\1", words)
    if "-" in words and ":" in words:
        words = _ICON.sub("", words)
    return words


def _edited(edit: re.Match[str]) -> str:
    """What an edit leaves when it is accepted."""
    if edit[1] in ("--", ">>"):
        return ""
    return edit[2].partition("~>")[2] if edit[1] == "~~" else edit[2]


DIALECT = Dialect(
    name="mkdocs",
    lines=r"!!!|\?\?\?|===[+! ]|/{3}|;?-{1,2}8<-|\{\*|:::[ \t]+\w+\.\w|\*\[|<\w+[^<>\n]*\bmarkdown\b"
    r"|\[(?:TOC|toc)\]",
    signs=(
        re.compile(r"==(?=[^\s=])"),
        re.compile(r"\+\+(?=[\w\"])"),
        re.compile(r"\^(?=\^[^\s^]|[\w+-]{1,8}\^)"),
        re.compile(r"~(?=[\w+-]{1,8}~)"),
        re.compile(r"\{(?:--|>>|~~|\+\+|==)"),
        _ICON,
    ),
    blocks=blocks,
    text=text,
    marks={
        "admonition": mark("!!!", "???", at=r"^(?:!!!|\?\?\?\+?)[ \t]"),
        "tab": mark("===", at=r"^===[+!]{0,2} [\"']"),
        "block": mark("///", at=r"^/{3,}(?:[ \t]*\w+[ \t]*(?:\||$)|[ \t]*$)"),
        "snippet": mark("-8<-", at=r"-8<-"),
        "file": Mark(("{*",), _FILE),
        "icon": Mark(tuple(f":{family}-" for family in _FAMILIES), _ICON),
        "keys": Mark(("++",), _KEYS),
        "contents": Mark(("[TOC]", "[toc]"), _FIXED),
    },
)
