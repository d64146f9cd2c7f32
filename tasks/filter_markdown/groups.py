"""Which texts are near copies of one another, directly or by others between: versions, moved copies.

Texts are looked up by parts of their signatures ("bands", locality-sensitive hashing), so that time grows
with their number and not with its square. Those that agree in a band are sorted by it and by the next one;
each is compared with the few behind it, and with the first. In a crowd that shares a band a near copy stands
close by in one of the 32 orders, if not in all.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tasks.filter_markdown.near_duplicates import PERMUTATIONS, Signatures, similarity

Places = npt.NDArray[np.int64]

SLACK = 0.15
"""How far below the threshold texts are kept on one side: a similarity that is estimated, or that is counted
by other features than five words, would else let a copy through."""
_MISSED = 1e-3
"""Share of the pairs at the lowest similarity that may agree in no band."""
_NEIGHBOURS = 16
"""Texts behind each one in a band's order that it is compared with."""


class Union:
    """Documents that belong together: each has the first of its group."""

    def __init__(self, firsts: Places) -> None:
        self.firsts = firsts.copy()
        """(documents,) the place of the first document of each one's group."""

    def unite(self, some: Places, others: Places) -> None:
        """Put each of `some` and its one of `others` into one group, with all that are in theirs."""
        while len(some):
            some, others = self.firsts[some], self.firsts[others]
            apart = some != others
            some, others = some[apart], others[apart]
            np.minimum.at(self.firsts, np.maximum(some, others), np.minimum(some, others))
            while not np.array_equal(above := self.firsts[self.firsts], self.firsts):
                self.firsts = above


@dataclass(frozen=True, slots=True)
class Groups:
    """By document the place of the first one in its group, that itself where it is alone."""

    near: Places
    """Of near copies: from the threshold on."""
    together: Places
    """Of those that stay on one side: of near copies, and of what is nearly one."""


def find_groups(signatures: Signatures, threshold: float) -> Groups:
    """Group texts whose similarity is `threshold` or more, and those of a little less.

    Args:
        threshold: a Jaccard similarity in (0, 1].
    """
    alone = np.arange(len(signatures))
    near, together = Union(alone), Union(alone)
    lowest = max(threshold - SLACK, 0.0)
    for some, others in _candidates(signatures, rows_in_band(lowest), near):
        alike = similarity(signatures, some, others)
        close = alike >= lowest
        together.unite(some[close], others[close])
        close = alike >= threshold
        near.unite(some[close], others[close])
    return Groups(near.firsts, together.firsts)


def rows_in_band(similarity: float) -> int:
    """Numbers of a signature that make one band: as many as still find nearly every pair that similar."""
    fitting = [
        rows
        for rows in (4, 2)
        if (1 - similarity**rows) ** (PERMUTATIONS // rows) <= _MISSED  # they agree in no band
    ]
    return fitting[0] if fitting else 1


def _candidates(signatures: Signatures, rows: int, known: Union) -> Iterator[tuple[Places, Places]]:
    """Pairs that agree in a band and are not in one `known` group yet, many at a time."""
    # A band's numbers, side by side as they lie, are one number.
    bands = np.ascontiguousarray(signatures).view(f"<u{rows}")
    count = bands.shape[1]
    for band in range(count):
        value = bands[:, band]
        order = np.argsort(value.astype(np.uint64) << np.uint64(32) | bands[:, (band + 1) % count])
        value = value[order]
        begins = np.flatnonzero(np.concatenate([[True], value[1:] != value[:-1]]))
        sizes = np.diff(begins, append=len(value))
        crowded = np.repeat(sizes > 1, sizes)
        run = np.repeat(np.arange(len(begins)), sizes)[crowded]
        first = order[np.repeat(begins, sizes)[crowded]]
        order = order[crowded]
        for step in range(1, min(_NEIGHBOURS, max(sizes, default=1) - 1) + 1):
            same = run[:-step] == run[step:]
            yield _apart(order[:-step][same], order[step:][same], known)
        if max(sizes, default=1) > _NEIGHBOURS + 1:
            yield _apart(first, order, known)


def _apart(some: Places, others: Places, known: Union) -> tuple[Places, Places]:
    apart = known.firsts[some] != known.firsts[others]
    return some[apart], others[apart]
