"""All pairs that the documents offer, a few bytes each in memory; the queries' words are in a file.

What becomes of a pair is decided when all are known: which queries are the same, on which sides of the
held-out split they lead, and to how many sections.
"""

from array import array
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.pair_documents.queries import digest, normalised, why_generic, why_no_anchor
from tasks.pair_documents.settings import KINDS

Ints = npt.NDArray[np.int64]
REASONS = (
    "", "no_words", "generic", "pointing_anchor", "one_word_anchor", "absolute_address", "other_address",
    "no_document", "no_section", "no_text", "common_heading", "training_query_of_held_out",
    "held_out_query_in_training", "too_many_targets", "merged",
)  # fmt: skip
"""Why a pair is dropped, by number; 0 for those that are kept. Each has the first that applies."""
NOWHERE = -1
"""The section of a pair that leads to none."""
_ROWS = 8192
_SCHEMA = pa.schema([("query", pa.string())])


def code(reason: str) -> int:
    """The number of a reason."""
    return REASONS.index(reason)


class Candidates:
    """Pairs in the order in which they are found."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._writer = pq.ParquetWriter(file, _SCHEMA, compression="zstd")
        self._queries: list[str] = []
        self._digests, self._sections, self._passages = array("Q"), array("q"), array("q")
        self._kinds, self._reasons = bytearray(), bytearray()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._flush()
        self._writer.close()

    def add(
        self, kind: str, query: str, section: int, passages: int, reason: str | None, words: str | None = None
    ) -> None:
        """Tell of a pair.

        Args:
            section: the number of that which it leads to, or `NOWHERE`.
            passages: how many of the section's passages answer it.
            reason: why it leads nowhere, or None.
            words: the normalised query, where it is known already.
        """
        query = " ".join(query.split())
        words = normalised(query) if words is None else words
        why = why_generic(words) or (why_no_anchor(words) if kind == "anchor" else None) or reason
        self._digests.append(digest(words))
        self._sections.append(section)
        self._passages.append(passages)
        self._kinds.append(KINDS.index(kind))
        self._reasons.append(code(why or ""))
        self._queries.append(query)
        if len(self._queries) == _ROWS:
            self._flush()

    def _flush(self) -> None:
        if self._queries:
            self._writer.write_table(pa.table({"query": self._queries}, schema=_SCHEMA))
            self._queries.clear()

    def __len__(self) -> int:
        return len(self._kinds)

    @property
    def digests(self) -> npt.NDArray[np.uint64]:
        """(pairs,) equal for equal queries."""
        return np.array(self._digests, np.uint64)

    @property
    def sections(self) -> Ints:
        """(pairs,) the numbers of the sections that they lead to, or `NOWHERE`."""
        return np.array(self._sections, np.int64)

    @property
    def passages(self) -> Ints:
        """(pairs,) how many of the section's passages answer each."""
        return np.array(self._passages, np.int64)

    @property
    def kinds(self) -> npt.NDArray[np.uint8]:
        """(pairs,) places in `KINDS`."""
        return np.frombuffer(bytes(self._kinds), np.uint8)

    @property
    def reasons(self) -> npt.NDArray[np.uint8]:
        """(pairs,) places in `REASONS`, by what is known of each alone."""
        return np.frombuffer(bytes(self._reasons), np.uint8)

    def queries(self) -> Iterator[tuple[int, list[str]]]:
        """The queries in order, some at a time, each time with the number of the first; after the end."""
        first = 0
        with pq.ParquetFile(self._file) as stored:
            for batch in stored.iter_batches(_ROWS):
                yield first, batch["query"].to_pylist()
                first += len(batch)
