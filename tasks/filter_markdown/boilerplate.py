"""Lines that stand in many documents: notices, calls to give feedback, navigation that was written as text.

Counted in two passes with bounded memory: the first keeps what may be frequent (lossy counting, Manku and
Motwani 2002: a line that was rare so far is forgotten), the second counts that exactly. Lines of code are
left alone: a `}` stands in many documents.
"""

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from hashlib import blake2b

from tasks.filter_markdown.layout import Cleaned
from tasks.filter_markdown.places import Span
from tasks.filter_markdown.rows import Row, spans_of

LEAST_DOCUMENTS = 3
"""What stands in fewer documents is no boilerplate, whatever share of them that is."""
Spans = Sequence[Span]
Groups = Callable[[], Iterator[list[Row]]]
"""Reads all documents from the first on, some at a time."""


def boilerplate_of(groups: Groups, share: float) -> Counter[str]:
    """The lines in more than `share` of the documents, each with the number of documents that have it."""
    likely = frequent_lines((set(map(_key, lines)) for lines in _documents(groups())), share)
    counts: Counter[str] = Counter()
    documents = 0
    for lines in _documents(groups()):
        documents += 1
        counts.update(line for line in lines if _key(line) in likely)
    least = max(share * documents, LEAST_DOCUMENTS - 1)
    return Counter({line: count for line, count in counts.items() if count > least})


def frequent_lines(documents: Iterable[Collection[bytes]], share: float) -> set[bytes]:
    """All that is in more than `share` of the documents, and some of what is in a little fewer.

    Args:
        documents: the distinct lines of each document.
    """
    window = math.ceil(2 / share)
    most: dict[bytes, int] = {}  # of how many documents each may be: those in which it was forgotten count
    number = 0
    for number, lines in enumerate(documents, 1):
        forgotten = (number - 1) // window
        for line in lines:
            most[line] = most.get(line, forgotten) + 1
        if number % window == 0:
            most = {line: count for line, count in most.items() if count > number // window}
    return {line for line, count in most.items() if count > share * number}


def without_lines(cleaned: Cleaned, gone: Collection[str]) -> Cleaned:
    """A document without the lines `gone`, nor the empty lines that they leave, nor what stood in them."""
    kept: list[str] = []
    moved: list[Span] = []
    places = _Places()
    length, blank, dropped = 0, True, False
    for line, is_code in _lines(cleaned.text, cleaned.code_spans):
        if is_code:
            moved.append((length, length + len(line)))
        elif line.strip() in gone or (dropped and blank and not line.strip()):
            places.drop(len(line))
            dropped = True
            continue
        kept.append(line)
        places.keep(len(line))
        length += len(line)
        blank, dropped = not is_code and not line.strip(), False
    whole, code_end = "".join(kept), moved[-1][1] if moved else 0
    return replace(
        cleaned,
        text=whole[:code_end] + whole[code_end:].rstrip(),
        code_spans=moved,
        headings=[
            (*span, level, anchor)
            for start, end, level, anchor in cleaned.headings
            if (span := places.of(start, end))
        ],
        links=[(*span, target) for start, end, target in cleaned.links if (span := places.of(start, end))],
    )


class _Places:
    """Where the characters of a text stand once some of its lines are dropped."""

    def __init__(self) -> None:
        self._begins, self._by = [0], [0]  # from which character on all stand so many further to the left
        self._stays = [True]
        self._end = 0

    def keep(self, characters: int) -> None:
        """Tell of the next characters, which stay."""
        self._tell(characters, stays=True, by=self._by[-1])

    def drop(self, characters: int) -> None:
        """Tell of the next characters, which do not."""
        self._tell(characters, stays=False, by=self._by[-1] + characters)

    def of(self, start: int, end: int) -> Span | None:
        """Where a range stands, or None where not all of it does."""
        first, last = (bisect_right(self._begins, place) - 1 for place in (start, end - 1))
        if first != last or not self._stays[first]:
            return None
        return start - self._by[first], end - self._by[first]

    def _tell(self, characters: int, *, stays: bool, by: int) -> None:
        if stays != self._stays[-1]:
            self._begins.append(self._end)
            self._by.append(by)
            self._stays.append(stays)
        else:
            self._by[-1] = by
        self._end += characters


def _documents(groups: Iterable[list[Row]]) -> Iterator[set[str]]:
    """The distinct lines of prose of each document."""
    for rows in groups:
        for row in rows:
            lines = (line.strip() for line, is_code in _lines(row["text"], spans_of(row)) if not is_code)
            yield set(filter(None, lines))


def _lines(text: str, spans: Spans) -> Iterator[tuple[str, bool]]:
    """The lines of prose with their ends, and each block of code as one: what is code."""
    done = 0
    for start, end in spans:
        yield from ((line, False) for line in text[done:start].splitlines(keepends=True))
        yield text[start:end], True
        done = end
    yield from ((line, False) for line in text[done:].splitlines(keepends=True))


def _key(line: str) -> bytes:
    return blake2b(line.encode("utf-8", "surrogatepass"), digest_size=16).digest()
