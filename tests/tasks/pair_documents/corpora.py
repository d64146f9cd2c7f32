"""Corpora of planted documents, as the filter makes them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.filter_markdown.cleaning import clean_text
from tasks.filter_markdown.rows import CORPUS_SCHEMA, row_of
from tasks.pair_documents.mining import PairCounts, mine
from tasks.pair_documents.settings import PairSettings


@dataclass(frozen=True)
class Mined:
    """What was mined of a corpus."""

    counts: PairCounts
    passages: list[dict[str, Any]]
    pairs: list[dict[str, Any]]

    def asked(self, split: str | None = None) -> dict[str, list[str]]:
        """By query the texts of the passages that answer it, of one side or both."""
        return {
            pair["query"]: [self.passages[number]["text"] for number in pair["passages"]]
            for pair in self.pairs
            if split in (None, pair["split"])
        }


def corpus(folder: Path, documents: dict[str, str], held_out: set[str]) -> Path:
    """A corpus file of Markdown by path, some of it held out."""
    rows = [
        row_of(clean_text(source))
        | {"path": path, "blob_sha": path, "split": "eval" if path in held_out else "train", "language": "en"}
        for path, source in documents.items()
    ]
    file = folder / "corpus.parquet"
    pq.write_table(pa.Table.from_pylist(rows, CORPUS_SCHEMA), file)
    return file


def mined(file: Path, **settings: Any) -> Mined:
    """The pairs of a corpus file."""
    folder = file.parent / "pairs"
    folder.mkdir(exist_ok=True)
    counts = mine(file, folder, PairSettings(**settings))
    assert {path.name for path in folder.iterdir()} == {"passages.parquet", "pairs.parquet"}
    return Mined(
        counts,
        pq.read_table(folder / "passages.parquet").to_pylist(),
        pq.read_table(folder / "pairs.parquet").to_pylist(),
    )
