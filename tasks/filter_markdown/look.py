"""What a person looks at of a corpus: some documents as they were and as they are, and what was found."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from difflib import SequenceMatcher
from itertools import zip_longest
from pathlib import Path
from typing import Any, Self

import pyarrow.parquet as pq

from tasks.filter_markdown.decoding import decode
from tasks.records import Corpus

SAMPLES = 3
EXAMPLES = 5
"""Groups, paths of a group, and lines that are shown."""
_CHARACTERS = 4_000
"""Kept of a sample's text."""
LINE, _LINES = 160, 24
"""Characters of a line, and lines of a document, that are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The beginning of a document, as it was found and as it is kept."""

    path: str
    raw: str
    cleaned: str


@dataclass(slots=True, kw_only=True)
class Look:
    """What a person looks at of a corpus."""

    samples: list[Sample] = field(default_factory=list)
    residue: dict[str, dict[str, int]] = field(default_factory=dict)
    """By mark that is left in prose, of all that pass their own checks: `marks`, and `documents` with it."""
    groups: list[dict[str, Any]] = field(default_factory=list)
    """The largest groups of near copies: how many `documents`, and some of their `paths`."""
    boilerplate: dict[str, int] = field(default_factory=dict)
    """The most frequent lines that were taken out, and how many documents each stood in."""

    def write(self, folder: Path) -> None:
        """Write it beside a corpus."""
        (folder / Corpus.LOOK).write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")

    @classmethod
    def read(cls, file: Path) -> Self:
        """What `write` wrote."""
        found = json.loads(file.read_text(encoding="utf-8"))
        return cls(**found | {"samples": [Sample(**sample) for sample in found["samples"]]})


class ResidueCount:
    """The marks that are left in the documents that it is told of."""

    def __init__(self) -> None:
        self._marks, self._documents = Counter[str](), Counter[str]()

    def add(self, marks: dict[str, int]) -> None:
        """Count the marks of one document."""
        self._marks.update(marks)
        self._documents.update(marks.keys())

    def merge(self, other: dict[str, dict[str, int]]) -> None:
        """Count what was counted of another corpus."""
        for name, counts in other.items():
            self._marks[name] += counts["marks"]
            self._documents[name] += counts["documents"]

    def by_mark(self) -> dict[str, dict[str, int]]:
        """Marks and documents by mark, what is in most documents first."""
        names = sorted(self._documents, key=lambda name: (-self._documents[name], name))
        return {name: {"marks": self._marks[name], "documents": self._documents[name]} for name in names}


def sampled(paths: Sequence[str]) -> list[str]:
    """Some of the paths, from all over their order."""
    count = min(SAMPLES, len(paths))
    places = [(2 * number + 1) * len(paths) // (2 * count) for number in range(count)]
    return [paths[place] for place in places]


def samples_of(documents: Path, corpus: Path, paths: Sequence[str]) -> list[Sample]:
    """Some documents as they are in a snapshot's file, and as they are in the corpus."""
    raw, texts = by_path(documents, "content", paths), by_path(corpus, "text", paths)
    return [
        Sample(
            path=path,
            raw=decode(raw.get(path) or b"")[0][:_CHARACTERS],
            cleaned=texts.get(path, "")[:_CHARACTERS],
        )
        for path in paths
    ]


def by_path(file: Path, column: str, paths: Sequence[str]) -> dict[str, Any]:
    """A column of the rows with these paths."""
    if not paths:
        return {}
    # Each path by itself, so that only the row groups are read that have one of them.
    table = pq.read_table(file, columns=["path", column], filters=[[("path", "==", path)] for path in paths])
    return {row["path"]: row[column] for row in table.to_pylist()}


def side_by_side(sample: Sample, width: int = LINE) -> Iterator[tuple[str, str]]:
    """The lines of a document before and after cleaning, those that belong together in one row.

    Lines of more than `width` characters are cut, and so is a long document.
    """
    raw, cleaned = _lines(sample.raw, width), _lines(sample.cleaned, width)
    rows: list[tuple[str, str]] = []
    matcher = SequenceMatcher(a=list(map(_bare, raw)), b=list(map(_bare, cleaned)), autojunk=False)
    for _, a, b, c, d in matcher.get_opcodes():
        rows += zip_longest(raw[a:b], cleaned[c:d], fillvalue="")
    yield from rows[:_LINES]
    if len(rows) > _LINES:
        yield "…", "…"


def _lines(text: str, width: int) -> list[str]:
    lines = [line for line in text.splitlines() if line.strip()][: 3 * _LINES]
    return [line if len(line) <= width else line[: width - 1] + "…" for line in lines]


def _bare(line: str) -> str:
    """A line as its beginning's letters, by which it is known before and after cleaning."""
    return "".join(filter(str.isalnum, line))[:12]


def shares(counts: dict[str, int]) -> list[tuple[str, int, float]]:
    """The counts with their shares of the whole, the largest first."""
    total = max(sum(counts.values()), 1)
    return [(name, n, n / total) for name, n in sorted(counts.items(), key=lambda one: (-one[1], one[0]))]
