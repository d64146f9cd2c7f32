"""The retrieval probe of a run: how well its models find the passages of held-out documents, and BM25.

Only some documents are searched where a bound is set: those of the queries that are asked, with all that
answers these, and then others until the bound is reached.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.errors import UserError
from tasks.evaluate_model.given import Given, NotMeasured
from tasks.evaluate_model.hits import Place, sample_hits
from tasks.evaluate_model.sampling import tokens_by_path
from tasks.records import Pairs
from tasks.retrieval.dense import Encoder
from tasks.retrieval.passages import Passages, Queries, read_queries
from tasks.retrieval.probe import ALL, PRIMARY, Asked, drawn, probe, sample
from tasks.retrieval.ranking import Ids
from tasks.retrieval.systems import DEPTH, System, by_vectors, by_words, hybrid
from tasks.stage.progress import tell

SEARCHABLE = ("bm25", "adapted", "retrieval", "hybrid", "hybrid_adapted")
"""The systems that can be published, of which one is the best."""


@dataclass(frozen=True, slots=True)
class Found:
    """What the probe came to; see `EvaluatedModel`."""

    retrieval: dict[str, Any]
    best: str
    samples: list[dict[str, Any]]
    not_measured: dict[str, str]
    """By system why it was not asked."""


def retrieval(given: Given) -> Found:
    """Ask BM25, the models before and after and the hybrids of both the same held-out queries.

    Raises:
        NotMeasured: there is no held-out query, or no passage has a word.
    """
    settings = given.settings
    queries = read_queries(given.pairs / Pairs.PAIRS)
    if not len(queries):
        raise NotMeasured("no query of a held-out document could be mined")
    if settings.max_queries is not None:
        queries = sample(queries, settings.max_queries, settings.seed)
    searched = Searched(given.pairs / Pairs.PASSAGES)
    queries, paths = searched.chosen(queries, settings.max_tokens, settings.seed)
    passages, places = searched.read(paths)
    systems, faults = _systems(given, passages, queries)
    names = [system.name for system in systems]
    compared = [pair for pair in _compared(names, is_begun(given)) if set(pair) <= set(names)]
    asked = probe(queries, systems, compared=compared, seed=settings.seed)
    dense = max(
        (name for name in ("retrieval", "adapted") if name in names),
        key=lambda name: primary(asked, name),
        default=None,
    )
    before = "base" if "base" in names else "bm25"
    return Found(
        retrieval=asked.as_json(),
        best=max((name for name in SEARCHABLE if name in names), key=lambda name: primary(asked, name)),
        samples=[] if dense is None else sample_hits(asked, before, dense, places),
        not_measured=faults,
    )


def primary(asked: Asked, system: str) -> float:
    """A system's primary figure of all queries."""
    return asked.figures[system][ALL][PRIMARY] or 0.0


def is_begun(given: Given) -> bool:
    """Whether there is a retrieval model that began from a given one, which then is `base`, if at hand."""
    return given.retrieval is not None and given.begun


def dense_folders(given: Given) -> dict[str, Path]:
    """By system the folder of its model, the last one being what a person would use."""
    begun = is_begun(given)
    found = {
        "mlm_base": given.base if begun else None,
        "base": given.encoder if begun else given.base,
        "adapted": given.trained,
        "retrieval": given.retrieval,
    }
    return {name: folder for name, folder in found.items() if folder is not None}


def _systems(given: Given, passages: Passages, queries: Queries) -> tuple[list[System], dict[str, str]]:
    """What is asked, and which models could not be. Each model is loaded once, one at a time."""
    try:
        words = by_words("bm25", passages)
    except ValueError as error:
        raise NotMeasured(str(error)) from error
    systems, dense, faults = [words], [], {}
    folders = dense_folders(given)
    for number, (name, folder) in enumerate(folders.items()):
        tell(f"Searched {len(passages.texts):,} passages by {name}", number / len(folders) / 2)
        try:
            system = by_vectors(name, Encoder.load(folder), passages)
            dense.append(_kept(name, queries, system(queries.texts, DEPTH)))
        except UserError as error:
            faults[name] = str(error)
    systems += dense
    for system in dense:
        if system.name != "mlm_base":
            last = system is dense[-1]
            systems.append(hybrid("hybrid" if last else f"hybrid_{system.name}", words, system))
    return systems, faults


def _kept(name: str, queries: Queries, ids: Ids) -> System:
    """A system of what another has answered to these queries, without its model."""
    places = {text: number for number, text in enumerate(queries.texts)}
    return System(name, lambda texts, k: ids[[places[text] for text in texts], :k])


def _compared(names: Sequence[str], begun: bool) -> list[tuple[str, str]]:
    """What is to be better than what: each model than the one that it began from, if that is there."""
    last = "retrieval" if "retrieval" in names else "adapted"
    return [
        ("adapted", "mlm_base" if begun else "base"),
        ("retrieval", "base"),
        ("retrieval", "bm25"),
        ("hybrid", "bm25"),
        ("hybrid", last),
    ]


class Searched:
    """The passages of a file, and the documents that they are of."""

    def __init__(self, file: Path) -> None:
        import pyarrow.parquet as pq

        self._file = file
        table = pq.read_table(file, columns=["passage", "path"])
        self._paths: dict[int, str] = dict(
            zip(table["passage"].to_pylist(), table["path"].to_pylist(), strict=True)
        )
        self._tokens = tokens_by_path(file)

    def chosen(self, queries: Queries, most: int | None, seed: int) -> tuple[Queries, set[str]]:
        """The queries that can be asked within `most` tokens of passages, and the documents to search.

        Documents come in the order in which they are drawn, each with those that answer its queries. One
        that does not fit is left out with its queries, but the first is taken in any case.
        """
        if most is None:
            return queries, set(self._tokens)
        answering: dict[str, set[str]] = {}
        for path, relevant in zip(queries.documents, queries.relevant, strict=True):
            answering.setdefault(path, {path}).update(self._paths[number] for number in relevant)
        asked: set[str] = set()
        searched: set[str] = set()
        left = most
        for path in sorted(answering, key=lambda path: drawn(path, seed)):
            more = answering[path] - searched
            tokens = sum(self._tokens.get(one, 0) for one in more)
            if not asked or tokens <= left:
                asked.add(path)
                searched |= more
                left -= tokens
        for path in sorted(self._tokens.keys() - searched, key=lambda path: drawn(path, seed)):
            if self._tokens[path] <= left:
                searched.add(path)
                left -= self._tokens[path]
        places = [number for number, path in enumerate(queries.documents) if path in asked]
        return queries.take(places), searched

    def read(self, paths: set[str]) -> tuple[Passages, dict[int, Place]]:
        """The passages of some documents, and by number where each stands."""
        import pyarrow.parquet as pq

        table = pq.read_table(
            self._file, columns=["passage", "path", "heading", "text"], filters=[("path", "in", paths)]
        )
        ids: npt.NDArray[np.int64] = table["passage"].to_numpy()
        texts = table["text"].to_pylist()
        rows = zip(ids.tolist(), table["path"].to_pylist(), table["heading"].to_pylist(), texts, strict=True)
        return Passages(ids, texts), {
            number: Place(path, heading, text) for number, path, heading, text in rows
        }
