"""Ranking by words: BM25 as bm25s computes it (Lucene's formula, k1 1.5, b 0.75), nothing stemmed.

Its words are letters and digits of two or more in a row, in small letters, without 33 English stop words.
Of a row of passages with equal scores bm25s gives any; here it is the first ones.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from tasks.retrieval.ranking import NOTHING, Ids, Scores, best, blocks

if TYPE_CHECKING:
    from bm25s import BM25


class Words:
    """Passages that are ranked by the words that they share with a query."""

    def __init__(self, index: BM25) -> None:
        self._index = index
        self.passages = int(index.scores["num_docs"])

    @classmethod
    def of(cls, texts: Sequence[str]) -> Words:
        """Index passages; a text's place is its number.

        Raises:
            ValueError: no text has a word.
        """
        bm25s = library()
        tokens = bm25s.tokenize(list(texts), show_progress=False)
        if not tokens.vocab:
            raise ValueError("no passage has a word to rank it by")
        index = bm25s.BM25()
        index.index(tokens, show_progress=False)
        return cls(index)

    @classmethod
    def load(cls, folder: Path) -> Words:
        """What `save` wrote, its arrays by memory map."""
        bm25s = library()
        return cls(bm25s.BM25.load(folder, mmap=True))

    def save(self, folder: Path) -> None:
        """Write the arrays and the vocabulary into a folder, which is made."""
        self._index.save(folder, show_progress=False)

    def rank(self, queries: Sequence[str], k: int) -> tuple[Ids, Scores]:
        """(queries, k) the best passages, and their scores; those without a query's word are not found."""
        ids = np.full((len(queries), k), NOTHING, np.int64)
        scores = np.full((len(queries), k), -np.inf, np.float32)
        for part in blocks(len(queries), self.passages):
            rows = np.stack([self.scores(query) for query in queries[part]])
            rows[rows <= 0] = -np.inf
            ids[part], scores[part] = best(rows, k)
        return ids, scores

    def scores(self, query: str) -> Scores:
        """(passages,) the score of each passage; a word that the query has twice counts twice."""
        found: Scores = self._index.get_scores_from_ids(self._index.get_tokens_ids(words_of(query)))
        return found

    def rarities(self, query: str) -> dict[str, float]:
        """The inverse document frequency of each word of a query that some passage has."""
        found: dict[str, float] = {}
        ends = self._index.scores["indptr"]
        for word in words_of(query):
            if (number := self._index.vocab_dict.get(word)) is not None:
                holding = int(ends[number + 1] - ends[number])
                found[word] = math.log(1 + (self.passages - holding + 0.5) / (holding + 0.5))
        return found


def library() -> ModuleType:
    """bm25s, which else would log what it does to whoever listens to everything."""
    import bm25s

    logging.getLogger("bm25s").setLevel(logging.WARNING)
    return bm25s


def words_of(text: str) -> list[str]:
    """The words of a text that count, in order."""
    bm25s = library()
    found: list[str] = bm25s.tokenize(text, return_ids=False, show_progress=False)[0]
    return found
