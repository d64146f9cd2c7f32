"""Ranking by words: BM25 as bm25s computes it (Lucene's formula, k1 1.5, b 0.75), nothing stemmed.

Its words are letters and digits of two or more in a row, in small letters, without 33 English stop words.
Of a row of passages with equal scores bm25s gives any; here it is the first ones.
"""

from __future__ import annotations

import json
import logging
import math
import re
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.retrieval.ranking import NOTHING, Ids, Scores, best, blocks

if TYPE_CHECKING:
    from bm25s import BM25


PARTS = ("data", "indices", "indptr")
"""The arrays of bm25s: of every word the scores and the places of the passages that have it, in a row."""
_STOPS = (
    "a an and are as at be but by for if in into is it no not of on or such that the their then there these "
    "they this to was will with"
)
STOP_WORDS = frozenset(_STOPS.split(" "))
"""What bm25s leaves out."""
_WORD = re.compile(r"\b\w\w+\b")


class Words:
    """Passages that are ranked by the words that they share with a query.

    Only making such an index needs bm25s: asking one reads its arrays, for bm25s would load scipy first.
    """

    def __init__(self, arrays: dict[str, Any], words: dict[str, int], passages: int) -> None:
        self._scores, self._places, self._ends = (arrays[name] for name in PARTS)
        self._words, self.passages = words, passages
        self._made: BM25 | None = None

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
        made = bm25s.BM25()
        made.index(tokens, show_progress=False)
        words = cls(made.scores, made.vocab_dict, int(made.scores["num_docs"]))
        words._made = made
        return words

    @classmethod
    def load(cls, folder: Path) -> Words:
        """What `save` wrote, its arrays by memory map."""
        arrays = {name: np.load(folder / f"{name}.csc.index.npy", mmap_mode="r") for name in PARTS}
        about = json.loads((folder / "params.index.json").read_text(encoding="utf-8"))
        words = json.loads((folder / "vocab.index.json").read_text(encoding="utf-8"))
        return cls(arrays, words, int(about["num_docs"]))

    def save(self, folder: Path) -> None:
        """Write the arrays and the vocabulary into a folder, which is made.

        Raises:
            ValueError: they were read from one.
        """
        if self._made is None:
            raise ValueError("these words were read from a folder: copy that")
        self._made.save(folder, show_progress=False)

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
        found: Scores = np.zeros(self.passages, np.float32)
        for word in words_of(query):
            if (number := self._words.get(word)) is not None:
                row = slice(int(self._ends[number]), int(self._ends[number + 1]))
                found[self._places[row]] += self._scores[row]
        return found

    def rarities(self, query: str) -> dict[str, float]:
        """The inverse document frequency of each word of a query that some passage has."""
        found: dict[str, float] = {}
        for word in words_of(query):
            if (number := self._words.get(word)) is not None:
                holding = int(self._ends[number + 1] - self._ends[number])
                found[word] = math.log(1 + (self.passages - holding + 0.5) / (holding + 0.5))
        return found


def library() -> ModuleType:
    """bm25s, which else would log what it does to whoever listens to everything."""
    import bm25s

    logging.getLogger("bm25s").setLevel(logging.WARNING)
    found: ModuleType = bm25s
    return found


def words_of(text: str) -> list[str]:
    """The words of a text that count, in order: as bm25s cuts it, which need not be loaded for a query."""
    return [word for word in _WORD.findall(text.lower()) if word not in STOP_WORDS]
