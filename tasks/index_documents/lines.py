"""At which line of the raw document a passage begins: cleaning has moved its text, so its words are sought.

A passage is sought behind the one before it: first its heading as a line of its own, then its first words in
a row. What markup stands between the words does not matter, what was taken out between them does; a passage
whose words are not found is given its heading's line, and one without that none.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path

from tasks.front_matter import front_matter_end

_WORD = re.compile(r"\w+")
_TAG = re.compile(r"<[^<>]+>")
_TARGET = re.compile(r"\]\([^()\s]*(?:\s[^()]*)?\)|\{[#.:][^{}]*\}")
"""Of a link, and a heading's own name: they stand among the words, and cleaning takes them out."""
_RUNS = (8, 5, 3)
"""Words in a row that are sought, the longest first."""
_SURE = 5
"""So many are hardly found elsewhere by chance: what follows is sought behind them."""


class RawLines:
    """The words of a raw document, each in its line."""

    def __init__(self, raw: bytes) -> None:
        text = raw.decode("utf-8-sig", "replace")
        skipped = text.count("\n", 0, front_matter_end(text))
        self._headings: dict[str, list[int]] = {}
        self._starts: list[int] = []
        self._numbers: list[int] = []
        self._after, length = 0, 1
        parts: list[str] = []
        for number, line in enumerate(text.split("\n")[skipped:], skipped + 1):
            if words := _words(_TARGET.sub("]", _TAG.sub(" ", line))):
                self._starts.append(length)
                self._numbers.append(number)
                parts.append(words)
                self._headings.setdefault(words, []).append(length)
                length += len(words) + 1
        self._stream = f" {' '.join(parts)} "

    def find(self, heading: str, text: str, *, is_first: bool) -> int | None:
        """The line, from 1, at which the next passage of the document begins, or None.

        Args:
            heading: its section's, empty where there is none.
            is_first: whether it is its section's first passage.
        """
        found = self._heading(heading) if is_first else None
        words = _words(_TAG.sub(" ", text[:400])).split(" ")
        for count in _RUNS:
            run = f" {' '.join(words[:count])} "
            if (place := self._stream.find(run, max(self._after - 1, 0))) >= 0:
                if min(count, len(words)) >= _SURE:
                    self._after = place + 2  # the same words may come again
                return self._line(place + 1)
        return None if found is None else self._line(found)

    def _heading(self, heading: str) -> int | None:
        """Where the heading's line begins in the stream; what follows is sought from there on."""
        words = _words(heading)
        places = [place for place in self._headings.get(words, ()) if place >= self._after]
        if words and places:
            self._after = places[0]
            return places[0]
        return None

    def _line(self, place: int) -> int:
        return self._numbers[bisect_right(self._starts, place) - 1]


def raw_documents(file: Path, paths: set[str]) -> Iterator[tuple[str, bytes]]:
    """Those documents of a snapshot whose paths are among `paths`, each with its bytes."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(file) as table:
        for batch in table.iter_batches(batch_size=256, columns=["path", "content"]):
            for path, content in zip(*(batch[name].to_pylist() for name in batch.schema.names), strict=True):
                if path in paths and content is not None:
                    yield path, content


def _words(text: str) -> str:
    return " ".join(word.strip("_") for word in _WORD.findall(text.lower()) if word.strip("_"))
