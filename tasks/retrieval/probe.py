"""The retrieval probe: how well systems find the passages that answer held-out queries, and how surely.

All systems answer the same queries, and all intervals are of the same resamples of documents. A run of the
same line asks the documents that an earlier one asked: which are chosen follows from their paths.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.retrieval.figures import CUT, Figures, Floats, figures
from tasks.retrieval.intervals import Interval, apart, intervals
from tasks.retrieval.passages import KINDS, Queries
from tasks.retrieval.ranking import Ids
from tasks.retrieval.systems import System

ALL = "all"
"""The kind that takes all queries together."""
PRIMARY = "ndcg@10"
"""The figure that intervals and differences are of."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What some systems answered."""

    queries: Queries
    """Those that were asked, in the order of the answers."""
    first: dict[str, list[int]]
    """By system the number of each query's first hit; -1 where nothing was found."""
    figures: dict[str, dict[str, dict[str, float | None]]]
    """By system and kind: `ndcg@10`, `mrr@10`, `recall@10`, `low`, `high`, `queries`."""
    paired: list[dict[str, Any]]
    """`system`, `over`, and by kind how far its nDCG@10 is above the other's: `ndcg@10`, `low`, `high`."""

    def as_json(self) -> dict[str, Any]:
        """The figures, by system and kind, and `paired`."""
        return {**self.figures, "paired": self.paired}


def probe(
    queries: Queries,
    systems: Sequence[System],
    *,
    compared: Sequence[tuple[str, str]] = (),
    max_queries: int | None = None,
    seed: int = 0,
) -> Asked:
    """Ask every system every query.

    Args:
        queries: held-out ones.
        compared: names of two systems each, of which the first is to be better.
        max_queries: most queries, those of some documents; all of them if None.
        seed: of the choice of documents, and of the resamples.

    Raises:
        ValueError: there are no queries, or one of `compared` is no system.
    """
    if not len(queries):
        raise ValueError("there are no queries to ask")
    names = [system.name for system in systems]
    columns = [(names.index(first), names.index(second)) for first, second in compared]
    chosen = queries if max_queries is None else sample(queries, max_queries, seed)
    ranked = {system.name: system(chosen.texts, CUT) for system in systems}
    judged = [figures(ranked[name], chosen.relevant) for name in names]
    found = Asked(
        queries=chosen,
        first={name: _first(ids) for name, ids in ranked.items()},
        figures={name: {} for name in names},
        paired=[{"system": first, "over": second} for first, second in compared],
    )
    for kind in (*KINDS, ALL):
        rows = np.array([kind in (ALL, own) for own in chosen.kinds])
        if rows.any():
            _add(found, kind, rows, judged, columns, seed)
    return found


def _add(
    found: Asked,
    kind: str,
    rows: npt.NDArray[np.bool_],
    judged: Sequence[Figures],
    columns: Sequence[tuple[int, int]],
    seed: int,
) -> None:
    """Add the figures of one kind of queries."""
    documents = [path for path, own in zip(found.queries.documents, rows, strict=True) if own]
    gains = np.stack([one.ndcg[rows] for one in judged], axis=1)
    told = intervals(np.hstack([gains, apart(gains, columns)]), documents, seed=seed)
    for name, one, interval in zip(found.figures, judged, told, strict=False):
        found.figures[name][kind] = _told(interval) | {
            "mrr@10": _mean(one.mrr[rows]),
            "recall@10": _mean(one.recall[rows]),
            "queries": int(rows.sum()),
        }
    for pair, interval in zip(found.paired, told[len(judged) :], strict=True):
        pair[kind] = _told(interval)


def sample(queries: Queries, most: int, seed: int = 0) -> Queries:
    """The queries of some documents, `most` of them or fewer, in their order.

    Documents are taken in an order that follows from the seed and each one's path alone, so that another
    document more or less leaves the others where they are. Where the first one has too many queries by
    itself, it gives its first ones.
    """
    numbers: dict[str, list[int]] = {}
    for number, path in enumerate(queries.documents):
        numbers.setdefault(path, []).append(number)
    taken: list[int] = []
    for path in sorted(numbers, key=lambda path: drawn(path, seed)):
        if taken and len(taken) + len(numbers[path]) > most:
            break
        taken += numbers[path]
    return queries.take(sorted(taken[:most]))


def drawn(path: str, seed: int) -> bytes:
    """What puts a document among the others: it follows from the seed and its path alone."""
    return blake2b(f"{seed} {path}".encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _told(interval: Interval) -> dict[str, float | None]:
    told = asdict(interval)
    return {PRIMARY: told.pop("mean"), **told}


def _mean(values: Floats) -> float:
    return float(values.mean())


def _first(ids: Ids) -> list[int]:
    return [int(number) for number in ids[:, 0]]
