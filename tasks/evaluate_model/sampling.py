"""A seeded sample of documents: which are in it follows from their paths, so that runs can be compared.

Tokens are counted as 1.7 a word, which needs no tokenizer: so the models of a line, whatever their
vocabularies, are measured on the same documents.
"""

import re
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from tasks.retrieval.probe import drawn

TOKENS_A_WORD = 1.7
"""Of documentation in a vocabulary of 30,000 (measured: 1.66 and 1.71); plain prose has 1.3."""
_WORD = re.compile(r"\S+")
_ROWS = 256


@dataclass(frozen=True, slots=True)
class Document:
    """A cleaned document, or its beginning."""

    path: str
    text: str


def rough_tokens(text: str) -> int:
    """About how many tokens a text has."""
    return round(TOKENS_A_WORD * len(text.split()))


def beginning(text: str, tokens: float) -> str:
    """The first words of a text, as many as have about so many tokens, at least one."""
    words = list(islice(_WORD.finditer(text), max(1, int(tokens / TOKENS_A_WORD))))
    return text[: words[-1].end()] if words else text


def tokens_by_path(file: Path, split: str | None = None) -> dict[str, int]:
    """About how many tokens each document of a file of texts has, one split's alone if asked.

    Args:
        file: Parquet with the columns `path`, `split` and `text`; rows of one path are added up.
    """
    import pyarrow.parquet as pq

    counts: dict[str, int] = {}
    with pq.ParquetFile(file) as stored:
        for batch in stored.iter_batches(_ROWS, columns=["path", "split", "text"]):
            for row in batch.to_pylist():
                if split in (None, row["split"]):
                    counts[row["path"]] = counts.get(row["path"], 0) + rough_tokens(row["text"])
    return counts


def read_sample(
    file: Path, split: str | None, most: int | None, seed: int, *, documents: int | None = None
) -> list[Document]:
    """Documents in the order in which they are drawn, until they have `most` tokens; the last one is cut.

    Args:
        file: of `Corpus`.
        most: all of them if None.
        documents: most documents.
    """
    counts = tokens_by_path(file, split)
    left: float = sum(counts.values()) if most is None else most
    room: dict[str, float] = {}
    for path in sorted(counts, key=lambda path: drawn(path, seed))[:documents]:
        if left <= 0:
            break
        room[path] = left
        left -= counts[path]
    texts = {row["path"]: row["text"] for row in _rows(file, list(room))}
    return [
        Document(path, texts[path] if counts[path] <= most_here else beginning(texts[path], most_here))
        for path, most_here in room.items()
    ]


def _rows(file: Path, paths: list[str]) -> list[dict[str, Any]]:
    import pyarrow.parquet as pq

    table = pq.read_table(file, columns=["path", "text"], filters=[("path", "in", paths)])
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows
