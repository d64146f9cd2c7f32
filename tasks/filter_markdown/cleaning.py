"""From Markdown to the words worth learning from, with the ranges of the code among them.

The parser is pulldown-cmark by way of pyromark: on this job it reads about 7,000 documents a second where
markdown-it-py, the pure Python parser tried first, reads 330, and it stays linear on hostile input
(a megabyte of `[`, `*` or `<!--`, 100,000 nested lists), so cleaning does not hold up the tokenizer.

What `text` makes of a document: paragraphs, headings and code blocks with a blank line between them, list
items and table rows on lines of their own, a table's cells with ` | ` between them. A wrapped paragraph
becomes one line. A link leaves its text, an image nothing: its alternative text repeats the sentence beside
it, or names an icon.
"""

from bisect import bisect_right
from collections.abc import Iterable
from typing import Any

from tasks.filter_markdown.dialects.dialect import Dialect
from tasks.filter_markdown.dialects.known import dialects as dialects_named
from tasks.filter_markdown.layout import Cleaned, Layout
from tasks.filter_markdown.reading import PARSER, Reader
from tasks.filter_markdown.rules import rules_for
from tasks.front_matter import FrontMatter, read_front_matter


def clean_raw(source: str) -> Cleaned:
    """The Markdown as it is, with the ranges of its code blocks, fences included."""
    front = read_front_matter(source)
    title = front.title or _first_title(source[front.end :])
    return Cleaned(text=source, code_spans=_code_ranges(source), title=title, description=front.description)


def clean_text(
    source: str, *, keep_code: bool = True, dialects: Iterable[str] | None = None, code_in_prose: bool = True
) -> Cleaned:
    """The words of `source`, without markup.

    Args:
        dialects: the names of the builders whose marks are taken out where they are found; all, if None.
        code_in_prose: off leaves out the code in sentences, so that marks in what is left are marks.
    """
    front = read_front_matter(source)
    source = source[front.end :]
    known = dialects_named(dialects)
    cleaned = _read(source, known, keep_code, front, code_in_prose)
    if "<!--" in source and ("-->" in cleaned.text or "<!--" in cleaned.text):
        # CommonMark ends most HTML at a blank line, so a comment that goes on after one leaks its rest.
        without = _without_comments(source)
        if without != source:
            cleaned = _read(without, known, keep_code, front, code_in_prose)
    return cleaned


def _read(
    source: str, known: tuple[Dialect, ...], keep_code: bool, front: FrontMatter, code_in_prose: bool
) -> Cleaned:
    rules = rules_for(source, known)
    layout = Layout()
    reader = Reader(layout, rules, keep_code, code_in_prose)
    reader.read(rules.source)
    return layout.finish(front.title, front.description, above=not reader.has_title(front.title))


def _first_title(source: str) -> str:
    """The words of the first heading of the first level in Markdown, or nothing."""
    words: list[str] | None = None
    events: Iterable[Any] = PARSER.events(source)
    for event in events:
        if type(event) is not dict:
            continue
        if event.get("Start", {}) == "Heading" or "Heading" in event.get("Start", ()):
            words = [] if event["Start"]["Heading"]["level"] == "H1" else None
        elif words is not None:
            if "Heading" in event.get("End", ()):
                return " ".join("".join(words).split())
            words.append(event.get("Text") or event.get("Code") or "")
    return ""


def _code_ranges(source: str, *, in_sentences: bool = False) -> list[tuple[int, int]]:
    """Character ranges of the code in Markdown, its blocks alone or all; the parser counts bytes of UTF-8."""
    ranges = []
    raw = None if source.isascii() else source.encode()
    byte = character = 0
    events: Iterable[tuple[Any, Any]] = PARSER.events_with_range(source)
    for event, where in events:
        if type(event) is not dict:
            continue
        begun = event.get("Start")
        if (type(begun) is dict and "CodeBlock" in begun) or (in_sentences and "Code" in event):
            start, end = where["start"], where["end"]
            if raw is not None:
                character += len(raw[byte:start].decode())
                length = len(raw[start:end].decode())
                byte, start, end = end, character, character + length
                character = end
            ranges.append((start, end))
    return ranges


def _without_comments(source: str) -> str:
    """Markdown without the HTML comments that begin and end outside of code."""
    code = _code_ranges(source, in_sentences=True)
    starts = [start for start, _ in code]

    def outside(mark: str, position: int) -> int:
        """The first place of a mark from `position` on that is not code, or -1."""
        while (place := source.find(mark, position)) >= 0:
            number = bisect_right(starts, place) - 1
            if number < 0 or place >= code[number][1]:
                return place
            position = code[number][1]
        return -1

    kept: list[str] = []
    position = 0
    while (opening := outside("<!--", position)) >= 0 and (closing := outside("-->", opening + 4)) >= 0:
        kept.append(source[position:opening])
        position = closing + len("-->")
    return "".join((*kept, source[position:]))
