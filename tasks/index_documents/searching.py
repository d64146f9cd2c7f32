"""Asking a published model's documents: the index is found, or made once, and its hits get their links."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tasks.errors import StoreError, UserError
from tasks.index_documents.choosing import parent
from tasks.index_documents.copies import index_folder, model_folder
from tasks.index_documents.links import link
from tasks.index_documents.stage import index_documents, index_target, make_index
from tasks.records import Pairs, PublishedModel, SearchIndex
from tasks.stage.target import Target
from tasks.store.folders import Store
from tasks.store.manifest import Manifest

AUTO = "auto"
UNSTORED = "unstored"
"""A store of its own in the work folder, for indexes that the other one does not take."""
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A passage, and where it can be read."""

    path: str
    heading: str
    text: str
    """The sentence that matched."""
    url: str | None
    score: float

    def as_json(self) -> dict[str, Any]:
        """Its values."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Searchable:
    """A published model's documents, ready to be asked."""

    store: Store
    model: Manifest
    index: Manifest
    holder: Store
    """The store that holds the index."""
    work_dir: Path

    @property
    def record(self) -> SearchIndex:
        """What the index is of."""
        return SearchIndex.from_json(self.index.record)

    def mode(self, asked: str) -> str:
        """How to search, `auto` for what is best.

        Raises:
            UserError: there are no vectors for it.
        """
        record = self.record
        if asked == AUTO:
            return record.mode
        if asked != "bm25" and record.model is None:
            raise UserError(
                f"--mode {asked} needs vectors, and version {record.version} has no retrieval model to make "
                "them: take --mode bm25, or let docs-mlm run train one (embed.enabled)"
            )
        return asked

    def search(self, query: str, top_k: int, mode: str) -> list[Found]:
        """The best passages, at most `top_k`, best first.

        Raises:
            UserError: the query is empty, or there are no vectors.
        """
        from tasks.retrieval.index import Index

        record, folder = self.record, index_folder(self.holder, self.index, self.work_dir)
        model = None
        if mode != "bm25" and record.model is not None:
            model = model_folder(self.store, self.model, record.model, self.work_dir)
        return [
            Found(
                path=hit.path,
                heading=hit.heading,
                text=hit.text,
                url=url_of(record, hit.path, hit.line),
                score=hit.score,
            )
            for hit in Index(folder, model).search(query, top_k, mode)
        ]


def url_of(record: SearchIndex, path: str, line: int | None) -> str | None:
    """Where a document of an index can be read, at a line; None where its host is not a known one."""
    for part in record.sources:
        if path.startswith(f"{part['name']}:"):
            own = path.removeprefix(f"{part['name']}:")
            return link(part["source"], part["commit_sha"], own, line)
    return link(record.source, record.commit_sha, path, line)


def searchable(store: Store, model: Manifest, work_dir: Path, say: Say) -> Searchable:
    """A published model's documents with their index, which is made where there is none.

    It goes to the store; where that takes none, it stays in the work folder.

    Raises:
        UserError: the model's documents were not kept as passages, or the store has lost them.
    """
    target = index_target(store, model, work_dir)
    kept = Store(str(Path(target.work_dir) / UNSTORED))
    index, holder = _standing(target, store, kept)
    if index is None:
        _make(target, model, kept, say)
        index, holder = _standing(target, store, kept)
    if index is None:
        raise StoreError(f"the index at {target.uri} is gone as soon as it was made: try again")
    return Searchable(store=store, model=model, index=index, holder=holder, work_dir=Path(target.work_dir))


def _standing(target: Target, store: Store, kept: Store) -> tuple[Manifest | None, Store]:
    for holder in (store, kept):
        if (found := holder.manifest(holder.uri(SearchIndex.stage, target.key))) is not None:
            return found, holder
    return None, store


def _make(target: Target, model: Manifest, kept: Store, say: Say) -> None:
    published, pairs = PublishedModel.from_json(model.record), parent(model, Pairs)
    say(f"Indexing {pairs.passages:,} passages of {model.ancestors['documents']['source']}, once ...")
    try:
        target.store.check(write=True)
    except StoreError as error:
        say(f"The index is kept in {target.scratch(UNSTORED)}: {error}")
        with target.building() as folder:
            counts = make_index(target, published, folder)
            there = kept.uri(SearchIndex.stage, target.key)
            replace(target, store_url=kept.url, uri=there).commit(folder, SearchIndex, counts)
        return
    with target.alone():  # another search, or the run itself, may make it at this moment
        if target.stored_record() is None:
            index_documents.make(target, published)
