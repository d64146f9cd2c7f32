"""The index that `docs-mlm search` reads, made where the model's own machine is not the searcher's."""

from pathlib import Path

from prefect import flow

from flows.parameters import DEFAULTS, CheckedStore
from tasks.index_documents.stage import index_documents, index_target
from tasks.models.published import chosen_model
from tasks.records import PublishedModel, SearchIndex
from tasks.store.folders import Store


@flow(name="docs-mlm-index", persist_result=False)
def index(
    model: str | None = None, store: CheckedStore = DEFAULTS.store, work_dir: Path = DEFAULTS.work_dir
) -> SearchIndex:
    """Index a published model's documents, unless that is done.

    Args:
        model: A line, for its newest version, a version or a URI; the newest model of all if empty.
        store: Where every result is kept: a folder, file:///… or s3://bucket/prefix.
        work_dir: Scratch space on the worker's machine; may be deleted between runs.
    """
    opened = Store(store)
    opened.check(write=True)
    holder, found = chosen_model(opened, model or None)
    target = index_target(holder, found, work_dir)
    made: SearchIndex = index_documents(target, PublishedModel.from_json(found.record))
    return made


if __name__ == "__main__":
    raise SystemExit("flows.index is a flow: to search, type `docs-mlm search`, which makes its index itself")
