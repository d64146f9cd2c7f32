"""After publishing: the documents of a model become an index that `docs-mlm search` reads."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tasks.errors import UserError
from tasks.index_documents.choosing import best_mode, parent, vectors_of
from tasks.index_documents.copies import model_folder
from tasks.records import DocsSnapshot, Pairs, PublishedModel, SearchIndex
from tasks.stage.log import stage_logger
from tasks.stage.progress import current_bar, watched
from tasks.stage.stage import stage
from tasks.stage.target import Target
from tasks.store.folders import Store
from tasks.store.manifest import Manifest

Counts = dict[str, Any]


@stage(SearchIndex, version=1, parents=(PublishedModel, Pairs), bar="index")
def index_documents(target: Target, published: PublishedModel) -> SearchIndex:
    """Index the passages of a published model's documents, by their words and by its vectors."""
    with target.building() as folder:
        counts = make_index(target, published, folder)
        return target.commit(folder, SearchIndex, counts, of=[published])


def index_target(store: Store, model: Manifest, work_dir: Path) -> Target:
    """What a published model's index is called, and whether the store has it.

    Raises:
        UserError: the model's documents were not kept as passages.
    """
    pairs = parent(model, Pairs)
    key = index_documents.key({}, {PublishedModel: model.key, Pairs: pairs.key})
    uri = store.uri(SearchIndex.stage, key)
    found = store.manifest(uri)
    return Target(
        stage=SearchIndex.stage,
        key=key,
        uri=uri,
        action="run" if found is None else "reuse",
        why="nothing is stored yet" if found is None else "the same model and documents",
        store_url=store.url,
        work_dir=str(work_dir.expanduser()),
        record=None if found is None else found.record,
    )


def make_index(target: Target, published: PublishedModel, folder: Path) -> Counts:
    """Write the index into `folder`; what its record says besides place and key.

    Raises:
        UserError: the model is of an earlier version, the store has lost its passages, or no passage has a
            word.
    """
    from tasks.retrieval.index import build

    store = target.store
    model = store.manifest(published.uri)
    if model is None:
        raise UserError(f"there is no complete model at {published.uri}: see `docs-mlm models`")
    pairs, snapshot = parent(model, Pairs), parent(model, DocsSnapshot)
    if store.manifest(pairs.uri) is None:
        raise UserError(
            f"{store.url} has lost the passages of version {published.version} ({pairs.uri}): run docs-mlm "
            "run again, which makes them anew"
        )
    passages = target.fetch(pairs) / Pairs.PASSAGES
    chosen = vectors_of(model)
    folder.mkdir(parents=True, exist_ok=True)
    lines = raw_lines(target, snapshot, passages)
    encoder = None
    if chosen is not None:
        from tasks.retrieval.dense import Encoder

        encoder = Encoder.load(model_folder(store, model, chosen, target.scratch()))
    build(passages, folder, encoder, _told(pairs.passages, snapshot.source), lines)
    return {
        "version": published.version,
        "passages": pairs.passages,
        "model": chosen,
        "mode": best_mode(model),
        "source": snapshot.source,
        "commit_sha": snapshot.commit_sha,
        "sources": [
            {name: part[name] for name in ("name", "source", "commit_sha")} for part in snapshot.parts
        ],
    }


def raw_lines(target: Target, snapshot: DocsSnapshot, passages: Path) -> list[int | None]:
    """For each passage the line of its raw document, from 1; None where it is not found."""
    import pyarrow.parquet as pq

    from tasks.index_documents.lines import RawLines, raw_documents  # a search needs none of its patterns

    table = pq.read_table(passages, columns=["path", "heading", "text", "start"])
    rows = list(zip(*(table[name].to_pylist() for name in table.column_names), strict=True))
    of_path: dict[str, list[int]] = {}
    for place, row in enumerate(rows):
        of_path.setdefault(row[0], []).append(place)
    lines: list[int | None] = [None] * len(rows)
    sources = target.fetch_sources(snapshot)
    if len(sources) < max(1, len(snapshot.parts)):
        stage_logger().warning("Some links will lead to documents, not to lines")
    for before, folder in sources.items():
        own = {path.removeprefix(before) for path in of_path if path.startswith(before)}
        file = folder / DocsSnapshot.FILE
        for path, raw in raw_documents(file, own) if file.is_file() else ():
            known, heading = RawLines(raw), None
            for place in sorted(of_path[before + path], key=lambda one: rows[one][3]):
                _, its, text, _ = rows[place]
                lines[place] = known.find(its, text, is_first=its != heading)
                heading = its
    return lines


def _told(passages: int, source: str) -> Callable[[int], None]:
    """What tells of the progress: to the run's bar, or without a run to whoever watches."""
    bar, move = current_bar(), watched("index")
    words = f"Indexing {passages:,} passages of {source}"

    def tell(done: int) -> None:
        share = min(1.0, done / max(passages, 1))
        if bar is None:
            move(words, 100.0 * share)
        else:
            bar.tell(words, share)

    tell(0)
    return tell
