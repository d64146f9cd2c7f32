"""Batches whose rows lie by length, so that a mini-batch is padded to its own longest text and no further."""

from dataclasses import dataclass
from typing import Any

from sentence_transformers.sentence_transformer.data_collator import SentenceTransformerDataCollator

from tasks.embed_model.rows import RIGHT


@dataclass(frozen=True, slots=True)
class ByLength:
    """A collator of sentence-transformers' that is given the rows with the longest passage first.

    The loss of a batch is of all its rows, in whatever order; its mini-batches are cut along that order.
    """

    collate: SentenceTransformerDataCollator

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """Tensors (rows, tokens) of each column."""
        collated: dict[str, Any] = self.collate(sorted(rows, key=lambda row: len(row[RIGHT]), reverse=True))
        return collated

    @property
    def valid_label_columns(self) -> list[str]:
        """Names of columns that are no texts, of which the trainer's samplers ask."""
        names: list[str] = self.collate.valid_label_columns
        return names
