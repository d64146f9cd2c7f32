"""What of a published model is searched by: whose vectors, and in which way the probe found most."""

from typing import Literal, TypeVar

from tasks.errors import UserError
from tasks.records import EvaluatedModel, Pairs, PublishedModel, Record
from tasks.store.manifest import Manifest

R = TypeVar("R", bound=Record)
Mode = Literal["bm25", "dense", "hybrid"]
ITSELF = "."
"""The folder of the published model's own vectors, within it."""


def parent(model: Manifest, kind: type[R]) -> R:
    """What a published model was made of.

    Raises:
        UserError: an earlier version of docs-mlm published it, which kept no such thing.
    """
    record = model.ancestors.get(kind.stage)
    if record is None:
        what = "documents were not kept as passages" if kind is Pairs else f"{kind.stage} were not kept"
        raise UserError(
            f"version {model.record.get('version')} cannot be searched: run docs-mlm run again: this model's "
            f"{what}"
        )
    return kind.from_json(record)


def evaluation(model: Manifest) -> EvaluatedModel | None:
    """What the probe of retrieval found; None where it was not made."""
    record = model.ancestors.get(EvaluatedModel.stage)
    if record is None:
        return None
    found = EvaluatedModel.from_json(record)
    return found if found.retrieval is not None else None


def vectors_of(model: Manifest) -> str | None:
    """The folder, within the published one, of the model whose vectors are searched; None for words alone.

    That is the retrieval model where there is one, or the published model itself where the probe found most
    by its vectors.
    """
    if any(file.name.startswith(f"{PublishedModel.RETRIEVAL}/") for file in model.files):
        return PublishedModel.RETRIEVAL
    found = evaluation(model)
    # `hybrid` is that of the best model that there is: without a retrieval model, of the adapted one.
    return ITSELF if found is not None and found.best in ("adapted", "hybrid", "hybrid_adapted") else None


def best_mode(model: Manifest) -> Mode:
    """The way to search that the probe found best, of those that there are vectors for."""
    if vectors_of(model) is None:
        return "bm25"
    found = evaluation(model)
    if found is None or found.best.startswith("hybrid"):
        return "hybrid"
    return "bm25" if found.best == "bm25" else "dense"
