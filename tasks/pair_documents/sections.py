"""A document's sections and passages: what a query is to find."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.boundaries import sentence_starts

_DROPPED = re.compile(r"[^\w\- ]")
_RUNS = re.compile(r"[-_\s]+")
_WORD = re.compile(r"\w")


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A heading, and the text from there to the next one."""

    heading: str
    """Empty for what stands before the first heading."""
    names: tuple[str, ...]
    """What a link may call it by: the name that its author gave it, then its slug."""
    start: int
    end: int
    """The character range of its text, without the heading."""


def sections_of(text: str, headings: Sequence[dict[str, Any]]) -> Iterator[Section]:
    """The sections of a document in order; one without text has an empty range."""
    slugs = Slugs()
    begin, heading, names = 0, "", tuple[str, ...]()
    for one in [*headings, None]:
        end = one["start"] if one else len(text)
        if heading or text[begin:end].strip():
            yield Section(heading=heading, names=names, **_stripped(text, begin, end))
        if one:
            begin, heading = one["end"], " ".join(text[one["start"] : one["end"]].split())
            names = tuple(filter(None, (one["anchor"], slugs.of(heading))))


def passages_of(
    text: str, section: Section, starts: Sequence[int], longest: int
) -> Iterator[tuple[int, int]]:
    """The character ranges of a section's passages, each of `longest` characters at most.

    Args:
        starts: the characters of the section at which sentences begin, in order.
    """
    if not _WORD.search(text, section.start, section.end):
        return
    begin, cut = section.start, section.start
    for end in [*(start for start in starts if start > section.start), section.end]:
        if end - begin > longest and cut > begin:
            yield _range(text, begin, cut)
            begin = cut
        while len(text[begin:end].rstrip()) > longest:
            # A sentence that is longer itself is cut between words, or wherever it must.
            space = max(text.rfind(space, begin + longest // 2, begin + longest + 1) for space in " \n")
            middle = space if space > begin else begin + longest
            yield _range(text, begin, middle)
            begin = middle
        cut = end
    if text[begin : section.end].strip():
        yield _range(text, begin, section.end)


class Slugs:
    """The names that GitHub gives a page's headings: of equal ones the later have a number behind them."""

    def __init__(self) -> None:
        self._times: dict[str, int] = {}

    def of(self, heading: str) -> str:
        """The next heading's slug."""
        slug = first = slug_of(heading)
        while slug in self._times:
            self._times[first] += 1
            slug = f"{first}-{self._times[first]}"
        self._times[slug] = 0
        return slug


def slug_of(heading: str) -> str:
    """A heading in small letters, without punctuation, a hyphen for each space, as GitHub writes it."""
    return _DROPPED.sub("", heading.lower()).replace(" ", "-")


def alike(name: str) -> str:
    """What the slugs of several builders have in common: `a-b` of `a--b`, `-a-b` and `a_b`."""
    return _RUNS.sub("-", name.lower()).strip("-")


def starts_of(text: str, code_spans: list[dict[str, int]]) -> list[int]:
    """The characters at which the sentences of a document begin."""
    return sentence_starts(text, code_spans)


def _range(text: str, begin: int, end: int) -> tuple[int, int]:
    found = _stripped(text, begin, end)
    return found["start"], found["end"]


def _stripped(text: str, begin: int, end: int) -> dict[str, int]:
    """A range without white space at its ends."""
    part = text[begin:end]
    start = end - len(part.lstrip())
    return {"start": min(start, end), "end": max(start, begin + len(part.rstrip()))}
