"""The words that a renderer shows of a page, and those of them that are missing from its cleaned text.

The renderer is pyromark's HTML, whose text Python's own HTML parser takes; so neither what lays words out nor
what reads HTML in the project is asked.
"""

import re
from collections import Counter
from collections.abc import Iterable
from html.parser import HTMLParser

import pyromark

from tasks.filter_markdown.cleaning import clean_text
from tasks.front_matter import front_matter_end

OPTIONS = (
    pyromark.Options.ENABLE_TABLES
    | pyromark.Options.ENABLE_STRIKETHROUGH
    | pyromark.Options.ENABLE_TASKLISTS
    | pyromark.Options.ENABLE_FOOTNOTES
    | pyromark.Options.ENABLE_DEFINITION_LIST
)
WORD = re.compile(r"[^\W_]+")
INLINE_NAMES = (
    "a abbr b bdi bdo cite code del dfn em i ins kbd mark q s samp small span strong sub sup tt u var wbr"
)
INLINE = frozenset(INLINE_NAMES.split())
NOTES = ("footnote-reference", "footnote-definition-label")
SILENT = frozenset({"script", "style", "template", "title", "svg"})
INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u2060\ufeff"))


class Shown(HTMLParser):
    """The text of HTML, with a space where an element that is no part of a word begins or ends."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.text: list[str] = []
        self._hidden = 0
        self._note = False  # whether the number of a footnote is read
        self._closed = Counter(name.lower() for name in re.findall(r"</([\w-]+)", html))
        self.feed(re.sub(r"<!--(?!.*?-->)", "&lt;!--", html, flags=re.DOTALL))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Hide what the element hides; part words."""
        self._hidden += tag in SILENT and self._closed[tag] > 0
        self._note = self._note or dict(attrs).get("class") in NOTES
        if tag not in INLINE:
            self.text.append(" ")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Part words."""
        self.text.append(" ")

    def handle_endtag(self, tag: str) -> None:
        """Show again; part words."""
        self._closed[tag] -= 1
        self._note = self._note and tag != "sup"
        if tag in SILENT and self._hidden:
            self._hidden -= 1
        if tag not in INLINE:
            self.text.append(" ")

    def handle_data(self, data: str) -> None:
        """Words, unless they are hidden."""
        if not self._hidden and not self._note:
            self.text.append(data)


def shown_words(markdown: str) -> Counter[str]:
    """The words that a renderer shows of Markdown without front matter, and how often."""
    text = "".join(Shown(pyromark.html(markdown, options=OPTIONS)).text)
    return Counter(WORD.findall(text.translate(INVISIBLE)))


def lost_words(page: str, dialects: Iterable[str] | None = None) -> Counter[str]:
    """The words that a renderer shows of a page, and that its cleaned text does not hold as often."""
    return missing_words(page, clean_text(page, dialects=dialects).text)


def missing_words(page: str, text: str) -> Counter[str]:
    """The words that a renderer shows of a page, and that `text` does not hold as often."""
    kept = Counter(WORD.findall(text))
    joined = Counter(WORD.findall(re.sub(r"[\^_]", "", text)))  # `2^64` is shown as 2 and, above it, 64
    lost = shown_words(page[front_matter_end(page) :]) - kept
    return Counter({word: number for word, number in lost.items() if joined[word] < number})


NAMED = {
    "a directive of DocFX": re.compile(
        r"(?<![:\w]):{3,}[ \t]*(?:image|video|code)\b.*?:::|(?<![:\w]):{3,}[^\n:]*(?::::|$)",
        re.DOTALL | re.MULTILINE,
    ),
    "an alert or a directive in brackets": re.compile(
        r"\[!\w[\w-]*[^\[\]]*(?:\[[^\[\]]*\][^\[\]]*)?\](?:\([^()\s]*\))?"
    ),
    "an attribute list": re.compile(r"\{:?\s*[#.\w][^{}\n]*\}"),
    "a reference": re.compile(r"<xref:[^<>\s]*>"),
    "a comment over paragraphs": re.compile(r"<!--.*?-->", re.DOTALL),
}
"""What is taken away with words that a renderer shows, which knows no builder."""


def taken_words(page: str) -> Counter[str]:
    """The words of a page that a rule of `NAMED` takes away."""
    taken = [found for rule in NAMED.values() for found in rule.findall(page)]
    joined = [
        re.sub(r"\[|\]\(.*", "", found) for found in taken
    ]  # a link's text is part of the word beside it
    return Counter(WORD.findall("\n".join([*taken, *joined])))


def unexplained(page: str) -> Counter[str]:
    """The lost words that no rule of `NAMED` takes away."""
    return lost_words(page) - taken_words(page)
