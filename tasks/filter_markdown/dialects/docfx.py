"""DocFX: directives between colons or in brackets, and references to an API's documentation.

The parser sees most of it as plain words, so it is taken out of a block's text after the parse, when code is
told apart. Only the names that DocFX and the sites built with it know are directives: `stats:::plot` and
`[!a-z]` are text.
"""

import re
from urllib.parse import unquote

from tasks.filter_markdown.blocks import Page
from tasks.filter_markdown.dialects.dialect import Dialect, mark

# Quantifiers are possessive (`*+`) and a run of colons is tried at its first colon only, so that no input
# makes these slow.
_OPEN = r"(?<![:\w]):{3,}+[ \t]*+"
_NAMES = r"(?:(?:row|column|zone|moniker|image|video|code|form|no-loc|div|tab)(?:-end)?|end)\b"
_SPANNING = re.compile(_OPEN + r"(?:image|video|code)\b(?!-end).*?:::+", re.DOTALL | re.IGNORECASE)
"""`:::image source="…" alt-text="…":::`, which may go over several lines."""
_NO_LOC = re.compile(_OPEN + r"no-loc[ \t]++text=\"([^\"\n\r]*+)\"[ \t]*+:::+", re.IGNORECASE)
"""`:::no-loc text="Azure":::`: words that must not be translated."""
_IN_LINE = re.compile(rf"{_OPEN}{_NAMES}[^\n\r:]*+:::+", re.IGNORECASE)
"""`:::row:::`, `:::column span="2":::`, `:::image-end:::`."""
_TO_LINE_END = re.compile(
    rf"^[ \t]*+:{{3,}}+[ \t]*+(?:{_NAMES}[^\n\r]*|(?=[\n\r]|\Z))", re.MULTILINE | re.IGNORECASE
)
"""`::: zone pivot="cli"`, `::: moniker-end`, a bare `:::`."""
_BRACKETED = re.compile(
    r"\[!([A-Za-z][\w-]++)([^\[\]]*+(?:\[[^\[\]]*+\][^\[\]]*+)?)\][+-]?(?:\([^()\s]*+\))?"
)
"""`[!NOTE]`, `[!INCLUDE [title](file)]`, `[!VIDEO address]`, `[!div class="…"]`, `[!code-json[](file)]`."""
_KNOWN = re.compile(
    r"code(?:-\w+)?|div|include|video|snippet|ref|dnl|uicontrol|notebook|op|(?:note|tip|important"
    r"|warning|caution|info|abstract|summary|todo|success|question|failure|danger|bug|example|quote|attention"
    r"|error)",
    re.IGNORECASE,
)
_CAPITAL = re.compile(r"[A-Z][A-Z_-]{2,}")
_WORDS_INSIDE = frozenset({"UICONTROL", "DNL"})
"""`[!UICONTROL Save]`: directives around words of the sentence."""
_API = re.compile(r"(?<![\w@/.`-])@(?=[A-Z])(\w++(?:\.[A-Z]\w*+)++)")
"""`@System.String`: a short reference."""
_ROW = re.compile(r":::[ \t]*(row|column)\b[^:]*(?::::)?", re.IGNORECASE)
_ROW_END = {name: rf"(?i)^[ \t]*:::[ \t]*{name}-end\b" for name in ("row", "column")}


def blocks(page: Page) -> bool:
    """Leave a table of contents out, and move what stands in `:::row:::` and `:::column:::` to the left,
    where it is not taken for code."""
    if page.text == "[TOC]":
        page.say("")
        return True
    found = _ROW.fullmatch(page.text) if page.text.startswith(":::") else None
    if found is None or not page.comes_later(_ROW_END[found[1].lower()]):
        return False
    end = re.compile(rf":::[ \t]*{found[1]}-end\b.*", re.IGNORECASE)
    page.say("")
    page.enclose(lambda text: text.startswith(":::") and end.fullmatch(text) is not None, dedent=True)
    return True


def text(words: str) -> str:
    """A block's `text` without directives; the words that they surround stay."""
    if ":::" in words:
        words = _NO_LOC.sub(r"\1", words)
        words = _SPANNING.sub(" ", words)
        words = _IN_LINE.sub(" ", words)
        words = _TO_LINE_END.sub("", words)
    if "[!" in words:
        words = _BRACKETED.sub(_words_inside, words)
    if "@" in words:
        words = _API.sub(r"\1", words)
    return words


def _words_inside(directive: re.Match[str]) -> str:
    name = directive[1]
    if not _CAPITAL.fullmatch(name) and not _KNOWN.fullmatch(name):
        return directive[0]
    return directive[2].strip() if name.upper() in _WORDS_INSIDE else ""


def reference(address: str) -> str:
    """`System.String` of `xref:System.String?displayProperty=name`; of a method the name alone."""
    name = unquote(address.removeprefix("xref:").partition("?")[0].partition("#")[0])
    return re.sub(r"`+[0-9]+", "", name.partition("(")[0]).removesuffix("*")


DIALECT = Dialect(
    name="docfx",
    lines=r":::[ \t]*(?:row|column)\b|\[TOC\]",
    signs=(re.compile(r":::"), re.compile(r"\[!"), re.compile(r"@[A-Z]\w*\.[A-Z]")),
    blocks=blocks,
    text=text,
    reference=reference,
    marks={
        "directive": mark(
            ":::",
            at=rf"^[ \t]*:{{3,}}[ \t]*{_NAMES}|(?<![:\w]):::{_NAMES}[^\n]*:::",
            flags=re.MULTILINE | re.IGNORECASE,
        ),
        "alert": mark(
            "[!", at=r"\[!(?:NOTE|TIP|IMPORTANT|WARNING|CAUTION|INCLUDE|VIDEO|UICONTROL|DNL|div|code)\b"
        ),
        "reference": mark("xref:", "%2A", at=r"<xref:|%2A|xref:[\w.]+"),
        "heading id": mark("{#", at=r"\{#[\w-]+\}[ \t]*$"),
    },
)
