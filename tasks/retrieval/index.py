"""A searchable index as files, of which a query reads only what it needs, without a server.

index.json          what it holds
passages.parquet    every passage with its place, in small groups of rows
bm25/               the words' scores, as bm25s saves them
vectors.npy         of the different texts, in half precision; not without a model
of_passage.npy      the row of each passage's vector, where passages have equal texts
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.boundaries import sentence_starts
from tasks.errors import UserError
from tasks.retrieval.bm25 import Words, words_of
from tasks.retrieval.fusion import fuse
from tasks.retrieval.light import LightEncoder
from tasks.retrieval.passages import distinct
from tasks.retrieval.ranking import NOTHING, Ids, Scores, Vectors, nearest
from tasks.retrieval.systems import DEPTH

if TYPE_CHECKING:
    from tasks.retrieval.dense import Encoder

FORMAT = 1
INDEX, PASSAGES, WORDS = "index.json", "passages.parquet", "bm25"
VECTORS, OF_PASSAGE = "vectors.npy", "of_passage.npy"
MODES = ("bm25", "dense", "hybrid")
_COLUMNS = ["path", "heading", "anchor", "text", "start", "end"]
_LINE = "line"
_GROUP = 256
"""Rows that are read together."""
_ALIKE = 1e-4
"""How far apart two ways to compute a vector may be that are taken for the same."""
_COMPARED = 8
MOST_SENTENCES = 24
"""Sentences of a passage that are compared by their vectors."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that was found."""

    path: str
    heading: str
    anchor: str
    text: str
    """Its sentence that matched best."""
    start: int
    """The character of the document's text at which this begins."""
    line: int | None
    """The line of the raw document at which its passage begins, from 1; None where that is not known."""
    score: float
    """BM25's, the cosine, or the sum of the ranks' shares: only scores of one mode and index compare."""

    def as_json(self) -> dict[str, Any]:
        """Its values."""
        return asdict(self)


def build(
    passages: Path,
    folder: Path,
    encoder: Encoder | None = None,
    tell: Callable[[int], None] | None = None,
    lines: Sequence[int | None] | None = None,
) -> None:
    """Write the index of a table of passages into a folder, which is made.

    Args:
        passages: a Parquet file with the columns path, heading, anchor, text, start and end.
        encoder: for dense and hybrid search; words alone are searched without.
        tell: is told now and then how many different texts are encoded.
        lines: the line of the raw document at which each passage begins, from 1, where that is known.

    Raises:
        UserError: no passage has a word.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(passages, columns=_COLUMNS)
    known = [None] * len(table) if lines is None else list(lines)
    table = table.append_column(_LINE, pa.array(known, pa.int32()))
    texts: list[str] = table["text"].to_pylist()
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, folder / PASSAGES, row_group_size=_GROUP, compression="zstd")
    try:
        Words.of(texts).save(folder / WORDS)
    except ValueError as error:
        raise UserError(f"{error}: there is nothing to search in {len(texts)} passages") from error
    about: dict[str, Any] = {"format": FORMAT, "passages": len(texts), "rows": _GROUP}
    about |= {"dimensions": None, "light": False}
    if encoder is not None:
        different, of_passage = distinct(texts)
        vectors = encoder.passages(different, tell)
        np.save(folder / VECTORS, vectors.astype(np.float16))
        if of_passage is not None:
            np.save(folder / OF_PASSAGE, of_passage)
        about |= {"dimensions": vectors.shape[1], "light": _is_light(encoder, different)}
    (folder / INDEX).write_text(json.dumps(about), encoding="utf-8")


def _is_light(encoder: Encoder, texts: list[str]) -> bool:
    """Whether numpy alone makes the same vectors, of the shortest, the longest and some other texts."""
    light = None if encoder.folder is None else LightEncoder.load(encoder.folder)
    if light is None:
        return False
    by_length = sorted(texts, key=len)
    some = [by_length[place] for place in np.linspace(0, len(texts) - 1, _COMPARED).astype(int)]
    apart = np.abs(light.queries(some) - encoder.queries(some))
    return bool(apart.max() < _ALIKE)


class Index:
    """An index that was built; its files are read as they are needed."""

    def __init__(self, folder: Path, model: Path | None = None) -> None:
        """Open the index of a folder.

        Args:
            folder: what `build` wrote.
            model: the folder of the model whose vectors it holds, for dense and hybrid search.

        Raises:
            UserError: there is no index, or one of another version of docs-mlm.
        """
        if not (folder / INDEX).is_file():
            raise UserError(f"{folder} holds no index: build one first")
        self.about: dict[str, Any] = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        if self.about["format"] != FORMAT:
            raise UserError(
                f"the index in {folder} is of format {self.about['format']}, but this version of docs-mlm "
                f"reads {FORMAT}: build it again"
            )
        self._folder, self._model = folder, model

    def search(self, query: str, top_k: int = 5, mode: str = "hybrid") -> list[Hit]:
        """The best passages for a query, at most `top_k`, best first.

        Raises:
            UserError: the query is empty, there is no such mode, or the index or the caller lacks a model.
        """
        if not query.strip():
            raise UserError("the query is empty: say what is to be found")
        if top_k < 1:
            raise UserError(f"top_k is {top_k}, but a search is for 1 passage at least: choose 1 or more")
        if mode not in MODES:
            raise UserError(f"there is no mode {mode!r}: choose {', '.join(MODES[:-1])} or {MODES[-1]}")
        vector = None if mode == "bm25" else self._encoder.queries([query])
        places, scores = self._rank(query, vector, top_k, mode)
        found = [(int(place), float(score)) for place, score in zip(places[0], scores[0], strict=True)]
        rarities = self._words.rarities(query)
        return [
            self._hit(self._row(place), score, rarities, vector) for place, score in found if place != NOTHING
        ]

    def _rank(self, query: str, vector: Vectors | None, k: int, mode: str) -> tuple[Ids, Scores]:
        if vector is None or mode == "bm25":
            return self._words.rank([query], k)
        if mode == "dense":
            return nearest(vector, self._vectors, k, self._of_passage)
        depth = max(k, DEPTH)
        words, near = (self._rank(query, vector, depth, one)[0] for one in ("bm25", "dense"))
        return fuse(words, near, k)

    def _hit(
        self, row: dict[str, Any], score: float, rarities: dict[str, float], vector: Vectors | None
    ) -> Hit:
        """A passage with its sentence that has the rarest words of the query, or else the nearest vector."""
        text, starts = row["text"], sentence_starts(row["text"], []) or [0]
        ends = [*starts[1:], len(text)]
        sentences = [text[start:end].strip() for start, end in zip(starts, ends, strict=True)]
        matched = [sum(rarities.get(word, 0.0) for word in set(words_of(one))) for one in sentences]
        if vector is not None and not any(matched) and len(sentences) > 1:
            matched = (self._encoder.queries(sentences[:MOST_SENTENCES]) @ vector[0]).tolist()
        best = matched.index(max(matched))
        return Hit(
            path=row["path"],
            heading=row["heading"],
            anchor=row["anchor"],
            text=sentences[best],
            start=row["start"] + starts[best],
            line=row[_LINE],
            score=score,
        )

    def _row(self, place: int) -> dict[str, Any]:
        group, row = divmod(place, self.about["rows"])
        table = self._table.read_row_group(group, columns=[*_COLUMNS, _LINE])
        found: dict[str, Any] = table.slice(row, 1).to_pylist()[0]
        return found

    @cached_property
    def _encoder(self) -> LightEncoder | Encoder:
        """What makes the query's vector: numpy where that is known to give the same, or torch."""
        if self.about["dimensions"] is None:
            raise UserError(
                "this index holds no vectors, for it was built without a model: search by words (bm25), or "
                "build it with a model of sentence-transformers"
            )
        if self._model is None:
            raise UserError(
                "dense and hybrid search need the model that the index was built with: name its folder"
            )
        light = LightEncoder.load(self._model) if self.about["light"] else None
        if light is not None:
            return light
        from tasks.retrieval.dense import Encoder

        return Encoder.load(self._model)

    @cached_property
    def _vectors(self) -> Any:
        return np.load(self._folder / VECTORS, mmap_mode="r")

    @cached_property
    def _of_passage(self) -> Any:
        file = self._folder / OF_PASSAGE
        return np.load(file, mmap_mode="r") if file.is_file() else None

    @cached_property
    def _words(self) -> Words:
        return Words.load(self._folder / WORDS)

    @cached_property
    def _table(self) -> Any:
        import pyarrow.parquet as pq

        return pq.ParquetFile(self._folder / PASSAGES, memory_map=True)
