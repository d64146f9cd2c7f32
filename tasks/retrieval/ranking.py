"""Rankings: the numbers of the best passages for each query, best first, and equal ones by their number.

Ties must not fall by chance: figures of two runs could not be compared, and a page that stands in the
documentation twice would be found in another place each time.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int64]
"""(queries, k) numbers of passages, best first; `NOTHING` where nothing more was found."""
Scores = npt.NDArray[np.float32]
"""(queries, k) what each was ranked by; minus infinity where nothing was found."""
Vectors = npt.NDArray[np.float32]
"""(texts, dimensions), each of length 1."""
NOTHING = -1
_SCORES_AT_ONCE = 1 << 24
"""Scores that are held at once, 64 MiB of them."""


def best(scores: Scores, k: int) -> tuple[Ids, Scores]:
    """The places of the `k` highest scores of each row, and these; a score of minus infinity is no hit.

    Args:
        scores: (queries, passages).

    Returns:
        Two arrays (queries, k). Of equal scores the one that stands first comes first.
    """
    count = scores.shape[1]
    ids = np.full((len(scores), k), NOTHING, np.int64)
    found = np.full((len(scores), k), -np.inf, np.float32)
    most = min(k, count)
    if not most:
        return ids, found
    least = np.partition(scores, count - most, axis=1)[:, count - most]
    for row, (values, bound) in enumerate(zip(scores, least, strict=True)):
        places = np.flatnonzero(values >= bound)
        order = np.argsort(-values[places], kind="stable")[:most]
        ids[row, :most], found[row, :most] = places[order], values[places[order]]
    ids[found == -np.inf] = NOTHING
    return ids, found


def nearest(
    queries: Vectors,
    vectors: npt.NDArray[np.floating],
    k: int,
    of_passage: npt.NDArray[np.int64] | None = None,
) -> tuple[Ids, Scores]:
    """The places of the `k` passages of the highest cosine with each query, exactly, and the cosines.

    Args:
        queries: (queries, dimensions).
        vectors: (vectors, dimensions), of float32 or float16; it may be a memory map.
        of_passage: (passages,) the row of each passage's vector, where several share one: cosines of equal
            vectors may differ in their last bit by where they stand. None where each has its own.
    """
    ids = np.empty((len(queries), k), np.int64)
    scores = np.empty((len(queries), k), np.float32)
    single = vectors.astype(np.float32, copy=False)
    for part in blocks(len(queries), len(vectors) if of_passage is None else len(of_passage)):
        cosines = queries[part] @ single.T
        ids[part], scores[part] = best(cosines if of_passage is None else cosines[:, of_passage], k)
    return ids, scores


def blocks(queries: int, passages: int) -> Iterator[slice]:
    """Ranges of queries whose scores fit in memory at once."""
    step = max(1, _SCORES_AT_ONCE // max(1, passages))
    for first in range(0, queries, step):
        yield slice(first, min(queries, first + step))
