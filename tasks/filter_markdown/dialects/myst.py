"""MyST and Sphinx Markdown: directives and roles.

A directive's body is prose where it is an admonition or the like, code where it is code, and nothing where it
only names files; its title and caption are text, its options are not. Of a role stays the text that it shows.
"""

import re

from tasks.filter_markdown.blocks import Page
from tasks.filter_markdown.dialects.dialect import Dialect, mark
from tasks.filter_markdown.frames import is_fence_end

_PROSE_NAMES = (
    "admonition attention caution danger error hint important note seealso tip warning todo versionadded "
    "versionchanged deprecated versionremoved topic sidebar margin aside epigraph highlights pull-quote "
    "rubric dropdown card card-carousel grid grid-item grid-item-card tab-set tab-item tabs tab tab- "
    "container details figure table list-table exercise solution proof theorem lemma definition remark "
    "example glossary container div hlist only ifconfig compound centered important-note button-link "
    "button-ref admonition-list parsed-note prf:theorem prf:proof prf:definition prf:lemma prf:remark "
    "prf:example prf:algorithm"
)
PROSE = frozenset(_PROSE_NAMES.split())
"""Directives whose body is Markdown."""
_NOTHING_NAMES = (
    "toctree contents image include literalinclude index bibliography automodule autoclass autofunction "
    "automethod autosummary autodata autoexception tableofcontents raw sectionauthor codeauthor "
    "currentmodule module highlight default-role meta video iframe download-list embed cross-reference"
)
NOTHING = frozenset(_NOTHING_NAMES.split())
"""Directives that only name files or places."""
UNTITLED = frozenset({"figure", "only", "ifconfig", "grid", "container", "div", "tab-set", "hlist"})
"""Directives whose argument is no text."""
CODE = ("code", "sourcecode")
"""What directives begin with whose argument is a language."""
_ICON = re.compile(r"octicon|material-\w+|fa|fa[sbrl]|fa-\w+|bi|far-\w+")
_FENCE = re.compile(r"(`{3,}+|~{3,}+|:{3,}+)[ \t]*\{([A-Za-z][\w:.+-]*)\}[ \t]*(.*)")
_OPTION = re.compile(r":([\w-]+):(?:[ \t]+(.*))?")
_TARGET = re.compile(r"\([^()\s][^()\n]*\)=")
_BREAK = re.compile(r"\+\+\+(?:[ \t]+\{.*\}|[ \t].*)?")
_SUBSTITUTION = re.compile(r"\{\{[ \t]*[\w.-]+[ \t]*\}\}")
_SHOWN = re.compile(r"(?s)(.*?)\s*<[^<>]*>")
_LAST_PART = re.compile(r"[~!](?:.*\.)?")


def blocks(page: Page) -> bool:
    """Read a line that begins a directive, or is a target, a comment or a break."""
    text = page.text
    first = text[:1]
    if first in "`~:" and (found := _FENCE.fullmatch(text)):
        return _directive(page, *found.groups())
    if (first == "(" and _TARGET.fullmatch(text)) or (first == "%" and text[1:2] in ("", " ", "\t", "%")):
        page.say("")
        return True
    if (first == "+" and _BREAK.fullmatch(text)) or text == "^^^":
        page.say("")
        return True
    return False


def _directive(page: Page, mark: str, name: str, argument: str) -> bool:
    low = name.lower()
    options = _options(page)
    caption = options.get("caption", "")
    if low in NOTHING:
        page.say(caption)
        _leave_out(page, mark)
    elif low in PROSE or (mark[0] == ":" and not low.startswith(CODE)):
        page.say(" ".join(filter(None, ("" if low in UNTITLED else argument, caption))))
        page.enclose(lambda line: is_fence_end(line, mark))
    else:  # one that is not known is code, as any fence is
        language = argument.split(" ")[0] if low.startswith(CODE) else ""
        page.say(" ".join(filter(None, ("" if language else argument, caption))))
        page.fence(lambda line: is_fence_end(line, mark), language)
    return True


def _options(page: Page) -> dict[str, str]:
    """The options below a directive's first line, which are left out."""
    found = {}
    line = page.following()
    if line == "---":
        page.skip()
        name = ""
        while (line := page.following()) and line != "---":
            key, colon, value = line.partition(":")
            if colon and re.fullmatch(r"[\w-]+", key):
                name, found[key] = key, value.strip(" |>-")
            else:  # a value goes on
                found[name] = f"{found.get(name, '')} {line}".strip()
            page.skip()
        page.skip(int(line == "---"))
        return found
    while (line := page.following()) and (option := _OPTION.fullmatch(line)):
        found[option[1]] = option[2] or ""
        page.skip()
    return found


def _leave_out(page: Page, mark: str) -> None:
    while (line := page.following()) is not None:
        page.skip()
        if is_fence_end(line, mark):
            break


def role(name: str, content: str) -> str:
    """What a reader sees of a role."""
    if _ICON.fullmatch(name):
        return ""
    if (
        name in ("ref", "doc", "numref", "eq", "term", "download", "any", "external", "py", "abbr")
        or ":" in name
        or (content.endswith(">") and "<" in content and name not in ("code", "math", "kbd", "samp"))
    ):
        shown = _SHOWN.fullmatch(content)
        content = shown[1] if shown and shown[1] else content
    if name == "abbr":
        return content.partition(" (")[0]
    return _LAST_PART.sub("", content) if content[:1] in "~!" else content


def text(words: str) -> str:
    """A block's words without substitutions, whose values stand elsewhere."""
    return _SUBSTITUTION.sub("", words) if "{{" in words else words


_OPTIONS = ("class", "name", "caption", "label", "width", "alt")
DIALECT = Dialect(
    name="myst",
    lines=r"[`~:]{3,}+[ \t]*\{[A-Za-z]|\([^()\s][^()\n]*\)=",
    signs=(re.compile(r"\{[A-Za-z][\w:.+-]*+\}`"),),
    blocks=blocks,
    text=text,
    role=role,
    marks={
        "directive": mark("```", "~~~", ":::", at=r"^(?:`{3,}|~{3,}|:{3,})[ \t]*\{[\w:.+-]+\}"),
        "option": mark(*(f":{name}:" for name in _OPTIONS), at=rf"^:(?:{'|'.join(_OPTIONS)}):"),
        "target": mark(")=", at=r"^\([^()\s][^()\n]*\)=[ \t]*$"),
        "role": mark(
            "{",
            at=r"\{(?:[a-z]+:)?(?:ref|doc|term|math|kbd|abbr|code|class|func|meth|download|numref|eq|cite|sub|sup)\}",
        ),
        "comment": mark("% ", "%\t", at=r"^%[ \t]"),
    },
)
