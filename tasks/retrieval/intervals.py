"""How far figures can be trusted: 95 % intervals by resampling documents with replacement.

Documents, not queries: queries of one document hang together, and an interval over queries is half as wide
as it should be (measured: a design effect of 3.9). All columns are taken of the same resamples, so that the
difference of two systems is paired: what is hard for both leaves it alone. The resamples follow from the seed
and the documents alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tasks.retrieval.figures import Floats

RESAMPLES = 10_000
LEVEL = 0.95
_DRAWN_AT_ONCE = 1 << 21


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over queries, and where it lies in 95 % of the resamples."""

    mean: float
    low: float | None
    """None, like `high`, where all queries are of one document: nothing tells how another would do."""
    high: float | None


def intervals(
    values: Floats,
    documents: Sequence[str] | npt.NDArray[np.int64],
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> list[Interval]:
    """The mean of each column over all queries, with its interval.

    Args:
        values: (queries, columns), at least one query.
        documents: for each query the document that it is of, by any name or number.
        seed: of the resamples.
    """
    means = values.mean(axis=0)
    _, numbers = np.unique(np.asarray(documents), return_inverse=True)
    if numbers.max() == 0:
        return [Interval(float(mean), None, None) for mean in means]
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.percentile(resampled_means(values, numbers, seed, resamples), [tail, 100 - tail], axis=0)
    return [Interval(*map(float, row)) for row in zip(means, low, high, strict=True)]


def apart(values: Floats, pairs: Sequence[tuple[int, int]]) -> Floats:
    """(queries, pairs) how far the first column of each pair is above the second one, a query at a time.

    The intervals of these are paired: taken with those of `values`, they are of the same resamples.
    """
    return values[:, [first for first, _ in pairs]] - values[:, [second for _, second in pairs]]


def resampled_means(
    values: Floats, documents: npt.NDArray[np.int64], seed: int, resamples: int = RESAMPLES
) -> Floats:
    """(resamples, columns) means over the queries of documents drawn with replacement.

    Args:
        values: (queries, columns).
        documents: (queries,) the number of each query's document; all numbers from 0 to the largest occur.
    """
    count = int(documents.max()) + 1
    # A document's sums, and last how many queries it has: a resample adds up those of the drawn ones.
    sums = np.zeros((count, values.shape[1] + 1))
    np.add.at(sums, documents, np.column_stack([values, np.ones(len(values))]))
    means = np.empty((resamples, values.shape[1]))
    generator = np.random.default_rng(seed)
    step = max(1, _DRAWN_AT_ONCE // count)
    for first in range(0, resamples, step):
        rows = min(step, resamples - first)
        drawn = generator.integers(0, count, (rows, count))
        drawn += np.arange(0, rows * count, count)[:, None]
        times = np.bincount(drawn.ravel(), minlength=rows * count).reshape(rows, count)
        added = times.astype(np.float64) @ sums
        means[first : first + rows] = added[:, :-1] / added[:, -1:]
    return means
