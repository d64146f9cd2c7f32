"""How good rankings are: nDCG@10, MRR@10 and recall@10 of each query.

They are those of sentence-transformers' `InformationRetrievalEvaluator`, which tells means alone: an interval
needs every query's own. A passage is relevant or it is not.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tasks.retrieval.ranking import NOTHING, Ids

CUT = 10
"""Ranks that count."""
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Figures:
    """What each query came to, each (queries,) and in [0, 1]."""

    ndcg: Floats
    """The ranking's discounted gain over that of the best one, by Järvelin and Kekäläinen (2002)."""
    mrr: Floats
    """One over the first relevant passage's rank, 0 without one."""
    recall: Floats
    """Share of the relevant passages that were found."""


def figures(ranked: Ids, relevant: Sequence[Sequence[int]]) -> Figures:
    """Judge rankings.

    Args:
        ranked: (queries, k) with each number once a row; ranks below `CUT` do not count.
        relevant: for each query the numbers of the relevant passages.

    Raises:
        ValueError: a query has no relevant passage, or there are more or fewer of them than rankings.
    """
    if len(ranked) != len(relevant):
        raise ValueError(
            f"there are {len(ranked)} rankings, but relevant passages of {len(relevant)} queries"
        )
    hits, counts = _hits(ranked[:, :CUT], relevant)
    if len(counts) and not counts.all():
        raise ValueError(f"query {int(counts.argmin())} has no relevant passage: leave it out")
    discounts = 1 / np.log2(np.arange(2, CUT + 2))
    ideal = np.cumsum(discounts)[np.minimum(counts, CUT) - 1]
    ranks = np.arange(1, hits.shape[1] + 1)
    return Figures(
        ndcg=hits @ discounts[: hits.shape[1]] / ideal,
        mrr=(hits / ranks).max(axis=1, initial=0.0),
        recall=hits.sum(axis=1) / counts,
    )


def _hits(
    ranked: Ids, relevant: Sequence[Sequence[int]]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """(queries, k) whether each is relevant, and (queries,) how many are."""
    flat = np.fromiter((number for numbers in relevant for number in numbers), np.int64)
    span = int(max(ranked.max(initial=0), flat.max(initial=0))) + 2
    rows = np.repeat(np.arange(len(relevant)), [len(numbers) for numbers in relevant])
    wanted = np.unique(rows * span + flat)
    found = np.arange(len(ranked))[:, None] * span + ranked
    return np.isin(found, wanted) & (ranked != NOTHING), np.bincount(wanted // span, minlength=len(relevant))
