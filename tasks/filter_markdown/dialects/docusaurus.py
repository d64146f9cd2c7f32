"""Docusaurus, VitePress and VuePress: containers between colons, with their titles.

`:::tip Title`, `:::note[Title]`, `::: details Title`: the title and what the container holds stay. A name
that neither knows is a container too where a line of colons alone ends it.
"""

import re

from tasks.filter_markdown.blocks import Page
from tasks.filter_markdown.dialects.dialect import Dialect, Mark, mark
from tasks.filter_markdown.templates import Piece, between

_NAMES_OF_ALL = (
    "note tip info warning danger caution important details success secondary quote question bug example "
    "abstract hint error failure code-group v-pre raw tabs tab steps theorem center left right card cards"
)
NAMES = frozenset(_NAMES_OF_ALL.split())
_OPEN = re.compile(r"(:{3,}+)[ \t]*([A-Za-z][\w-]*+)(?:\[(.*)\])?(?![\w:=.])[ \t]*(.*)")
_END = re.compile(r":{3,}")
_END_LINE = r"^[ \t>]*:{3,}[ \t]*$"
_ATTRIBUTES = re.compile(r"\{[^{}]*\}")
_TITLE = re.compile(r"title=\"([^\"]*)\"")
_NO_TITLES = frozenset({"code-group", "v-pre", "raw", "tabs", "center", "left", "right", "cards"})
_VALUE = re.compile(r"\{\{\s*\$\w[\w.]*\s*\}\}")
_IMPORT = re.compile(r"<<<[ \t]*@?[\w./{}~-][^\s]*(?:[ \t]*\{[^{}]*\})?(?:[ \t]*\[[^\[\]]*\])?")
_CONTENTS = re.compile(r"\[\[(?:toc|TOC|_TOC_|_toc_)\]\]")


def blocks(page: Page) -> bool:
    """Read a line of colons, or one that stands for a file."""
    text = page.text
    if text.startswith(":::"):
        if _END.fullmatch(text):
            page.say("")
            return True
        return _open(page)
    if (text.startswith("<<<") and _IMPORT.fullmatch(text)) or _CONTENTS.fullmatch(text):
        page.say("")
        return True
    return False


def _open(page: Page) -> bool:
    found = _OPEN.fullmatch(page.text)
    if found is None:
        return False
    colons, name, bracketed, rest = found.groups()
    name = name.lower()
    if name.endswith("-end") or (name not in NAMES and ("=" in rest or not page.comes_later(_END_LINE))):
        return False
    named = _TITLE.search(rest)
    title = bracketed or (named[1] if named else _ATTRIBUTES.sub("", rest).strip())
    page.say("" if name in _NO_TITLES and not bracketed else title)
    if page.comes_later(_END_LINE):
        page.enclose(lambda line: line.startswith(colons) and not line.strip(":"))
    return True


def templates(source: str) -> list[Piece]:
    """Values of Vue on the page itself: `{{ $frontmatter.title }}`."""
    return [
        Piece(start=start, end=end)
        for start, end in between(source, "{{", "}}")
        if _VALUE.fullmatch(source, start, end) and not source.startswith("$", max(0, start - 1))
    ]


DIALECT = Dialect(
    name="docusaurus",
    lines=rf":{{3,}}+[ \t]*+(?:\n|\Z|(?i:{'|'.join(sorted(NAMES))})\b)|<<<|\[\[_?(?:toc|TOC)_?\]\]",
    signs=(_VALUE,),
    templates=templates,
    blocks=blocks,
    marks={
        "container": mark(":::", at=rf"^:{{3,}}[ \t]*(?:$|(?i:{'|'.join(sorted(NAMES))})\b)"),
        "contents": Mark(("[[",), _CONTENTS),
    },
)
