"""What is trained on: a query and a passage that answers it, a row each, with passages that do not."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks.records import Pairs

QUERY, RIGHT, WRONG = "query", "passage", "wrong_{}"
"""Columns; the numbers of wrong passages begin at 1."""


@dataclass(frozen=True, slots=True)
class TrainingPairs:
    """The training side of the split, and nothing of the other."""

    queries: list[str]
    right: npt.NDArray[np.int64]
    """(queries,) the place among `texts` of the first passage that answers each."""
    answers: list[list[int]]
    """For each query the places of all that answer it."""
    texts: list[str]
    """Of the training documents' passages."""

    def __len__(self) -> int:
        return len(self.queries)

    def rows(self, wrong: npt.NDArray[np.int64] | None = None) -> Any:
        """A Hugging Face dataset of the columns `query`, `passage` and `wrong_1` and so on.

        Args:
            wrong: (queries, negatives) places of passages that do not answer each query.
        """
        from datasets import Dataset

        columns = {QUERY: self.queries, RIGHT: [self.texts[place] for place in self.right]}
        for number, places in enumerate([] if wrong is None else wrong.T, start=1):
            columns[WRONG.format(number)] = [self.texts[place] for place in places]
        return Dataset(pa.table(columns))


def read_pairs(folder: Path) -> TrainingPairs:
    """The training pairs of a result of `pair_documents`."""
    passages = pq.read_table(folder / Pairs.PASSAGES, columns=["passage", "split", "text"])
    passages = passages.filter(pc.equal(passages["split"], "train"))
    pairs = pq.read_table(folder / Pairs.PAIRS, columns=["query", "passages", "split"])
    pairs = pairs.filter(pc.equal(pairs["split"], "train"))
    place = {number: place for place, number in enumerate(passages["passage"].to_pylist())}
    answers = [[place[number] for number in numbers] for numbers in pairs["passages"].to_pylist()]
    return TrainingPairs(
        queries=pairs["query"].to_pylist(),
        right=np.array([numbers[0] for numbers in answers], np.int64),
        answers=answers,
        texts=passages["text"].to_pylist(),
    )
