"""Lines that stand in many documents: notices, calls to give feedback, navigation that was written as text.

Counted in two passes with bounded memory: the first keeps what may be frequent (lossy counting, Manku and
Motwani 2002: a line that was rare so far is forgotten), the second counts that exactly. Lines of code are
left alone: a `}` stands in many documents.
"""

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from hashlib import blake2b

from tasks.filter_markdown.rows import Row, spans_of

LEAST_DOCUMENTS = 3
"""What stands in fewer documents is no boilerplate, whatever share of them that is."""
Spans = Sequence[tuple[int, int]]
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


def without_lines(text: str, spans: Spans, gone: Collection[str]) -> tuple[str, list[tuple[int, int]]]:
    """`text` and the ranges of its code without the lines `gone`, nor the empty lines that they leave."""
    kept: list[str] = []
    moved: list[tuple[int, int]] = []
    length, blank, dropped = 0, True, False
    for line, is_code in _lines(text, spans):
        if is_code:
            moved.append((length, length + len(line)))
        elif line.strip() in gone:
            dropped = True
            continue
        elif dropped and blank and not line.strip():
            continue
        kept.append(line)
        length += len(line)
        blank, dropped = not is_code and not line.strip(), False
    whole, code_end = "".join(kept), moved[-1][1] if moved else 0
    return whole[:code_end] + whole[code_end:].rstrip(), moved


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
