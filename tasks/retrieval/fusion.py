"""Reciprocal rank fusion of two rankings, by Cormack, Clarke and Büttcher (2009): ranks alone, no scores."""

import numpy as np

from tasks.retrieval.ranking import NOTHING, Ids, Scores

DAMPING = 60
"""Theirs. A passage gets 1 / (60 + its rank) of each ranking that it stands in."""


def fuse(first: Ids, second: Ids, k: int) -> tuple[Ids, Scores]:
    """(queries, k) the passages of two rankings by the sum of what each gives them, and these sums.

    Args:
        first: (queries, any), each number once a row.
        second: likewise, for the same queries.
    """
    ids = np.full((len(first), k), NOTHING, np.int64)
    scores = np.full((len(first), k), -np.inf, np.float32)
    for row, both in enumerate(zip(first, second, strict=True)):
        found, places = np.unique(np.concatenate(both), return_inverse=True)
        gained = np.concatenate([1 / (DAMPING + np.arange(1, len(one) + 1)) for one in both])
        sums = np.bincount(places, weights=gained)
        sums[found == NOTHING] = -np.inf
        order = np.argsort(-sums, kind="stable")[:k]
        order = order[found[order] != NOTHING]
        ids[row, : len(order)], scores[row, : len(order)] = found[order], sums[order]
    return ids, scores
