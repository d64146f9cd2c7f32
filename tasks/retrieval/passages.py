"""What is searched, and what is asked: the tables that pairs of query and passage are kept in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

KINDS = ("title", "heading", "anchor", "description")
"""What a query was before it was one."""


@dataclass(frozen=True, slots=True)
class Passages:
    """Texts that can be found."""

    ids: npt.NDArray[np.int64]
    """(passages,) rising numbers."""
    texts: list[str]

    def __post_init__(self) -> None:
        if len(self.ids) != len(self.texts):
            raise ValueError(f"there are {len(self.ids)} numbers of {len(self.texts)} passages")
        if (np.diff(self.ids) <= 0).any():
            raise ValueError("the numbers of passages do not rise: equal scores could not be ranked by them")


@dataclass(frozen=True, slots=True)
class Queries:
    """Questions with known answers."""

    texts: list[str]
    kinds: list[str]
    relevant: list[list[int]]
    """For each query the numbers of the passages that answer it, at least one."""
    documents: list[str]
    """For each query the path of the document that it is of."""

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, places: Sequence[int] | npt.NDArray[np.int64]) -> Queries:
        """Some of them, in the order of their places."""
        chosen = [int(place) for place in places]
        return Queries(
            [self.texts[place] for place in chosen],
            [self.kinds[place] for place in chosen],
            [self.relevant[place] for place in chosen],
            [self.documents[place] for place in chosen],
        )


def distinct(texts: Sequence[str]) -> tuple[list[str], npt.NDArray[np.int64] | None]:
    """The different ones of some texts, and (texts,) the place of each among them; None if all differ."""
    places: dict[str, int] = {}
    of_text = [places.setdefault(text, len(places)) for text in texts]
    return list(places), None if len(places) == len(of_text) else np.array(of_text, np.int64)


def read_passages(file: Path) -> Passages:
    """All passages of `passages.parquet`."""
    import pyarrow.parquet as pq

    table = pq.read_table(file, columns=["passage", "text"])
    return Passages(table["passage"].to_numpy(), table["text"].to_pylist())


def read_queries(file: Path, split: str = "eval") -> Queries:
    """The queries of `pairs.parquet` on one side of the split."""
    import pyarrow.parquet as pq

    columns = ["query", "kind", "passages", "path"]
    table = pq.read_table(file, columns=columns, filters=[("split", "=", split)])
    return Queries(*(table[name].to_pylist() for name in columns))
