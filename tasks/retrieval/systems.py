"""Systems that find passages, all asked alike: by words, by the vectors of a model, or by both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tasks.retrieval.bm25 import Words
from tasks.retrieval.fusion import fuse
from tasks.retrieval.passages import Passages, distinct
from tasks.retrieval.ranking import NOTHING, Ids, nearest

if TYPE_CHECKING:
    from tasks.retrieval.dense import Encoder

DEPTH = 100
"""Ranks that are computed at least, of which a hybrid makes its own."""
Rank = Callable[[Sequence[str], int], Ids]
"""Queries and k to (queries, k) the numbers of passages, best first."""


class System:
    """A name, and a way to rank passages; the last queries' ranking is kept for the hybrids of it."""

    def __init__(self, name: str, rank: Rank) -> None:
        self.name, self._rank = name, rank
        self._asked: tuple[str, ...] | None = None
        self._found: Ids = np.empty((0, DEPTH), np.int64)

    def __call__(self, queries: Sequence[str], k: int) -> Ids:
        """(queries, k) the numbers of the best passages; `NOTHING` where there is no further one."""
        if self._asked != tuple(queries) or k > self._found.shape[1]:
            self._found, self._asked = self._rank(queries, max(k, DEPTH)), tuple(queries)
        return self._found[:, :k]


def by_words(name: str, passages: Passages) -> System:
    """BM25.

    Raises:
        ValueError: no passage has a word.
    """
    words = Words.of(passages.texts)
    return System(name, lambda queries, k: _numbered(words.rank(queries, k)[0], passages))


def by_vectors(name: str, encoder: Encoder, passages: Passages) -> System:
    """The cosine of a model's vectors; passages of equal text have one vector, and so equal scores."""
    texts, of_passage = distinct(passages.texts)
    vectors = encoder.passages(texts)

    def rank(queries: Sequence[str], k: int) -> Ids:
        return _numbered(nearest(encoder.queries(queries), vectors, k, of_passage)[0], passages)

    return System(name, rank)


def hybrid(name: str, first: System, second: System) -> System:
    """The reciprocal rank fusion of two systems' best `DEPTH`."""

    def rank(queries: Sequence[str], k: int) -> Ids:
        depth = max(k, DEPTH)
        return fuse(first(queries, depth), second(queries, depth), k)[0]

    return System(name, rank)


def _numbered(places: Ids, passages: Passages) -> Ids:
    found = places != NOTHING
    return np.where(found, passages.ids[np.where(found, places, 0)], NOTHING)
