"""A retrieval model as a stage of its own: from a model that is there, or from this run's own."""

from typing import Any

from tasks.embed_model.card import embedding_card
from tasks.embed_model.settings import EmbedSettings
from tasks.errors import UserError
from tasks.models.pinned import PinnedModel, local_files
from tasks.records import EmbeddedModel, Pairs, Record, TrainedModel
from tasks.stage.log import stage_logger
from tasks.stage.progress import tell
from tasks.stage.stage import stage
from tasks.stage.target import Target
from tasks.training.resuming import find_checkpoint, kept_checkpoints

RESUME = "embed.resume"
LEAST_PAIRS = 2
"""A query is told from another one's passage."""


def recipe(base: PinnedModel | None, settings: EmbedSettings) -> dict[str, Any]:
    """What goes into the key besides the pairs: the settings, and the model that it begins from, if given."""
    chosen = settings.keyed()
    for name in ("enabled", "name_or_path", "revision", "without_pairs"):
        del chosen[name]
    return chosen | {"model": None if base is None else base.fingerprint}


def embed(
    target: Target, pairs: Pairs, trained: TrainedModel, base: PinnedModel | None, settings: EmbedSettings
) -> EmbeddedModel:
    """Train a retrieval model on the pairs, from its newest checkpoint if any."""
    name = "this run's masked-language model" if base is None else base.name
    of: list[Record] = [pairs, trained] if base is None else [pairs]
    if (reason := check_pairs(pairs, settings)) is not None:
        with target.building() as folder:
            (folder / "skipped.txt").write_text(reason + "\n", encoding="utf-8")
            return target.commit(folder, EmbeddedModel, {"base": name, "skipped": reason}, of=of)
    from tasks.embed_model.training import EmbedJob, train

    checkpoints = kept_checkpoints(target, settings.save_total_limit, RESUME)
    with checkpoints as (local, keeper), target.building() as folder:
        job = EmbedJob(
            pairs=target.fetch(pairs),
            model=target.fetch(trained) / TrainedModel.MODEL
            if base is None
            else local_files(base, target.scratch(), weights=True),
            output=folder,
            checkpoints=local,
            settings=settings,
            resume_from=find_checkpoint(target, keeper, settings.resume, local, setting=RESUME),
        )
        figures = train(job, keeper=keeper, tell=tell)
        return target.commit(folder, EmbeddedModel, {"base": name} | figures, of=of)


embed_model = stage(
    EmbeddedModel, version=2, parents=(Pairs,), recipe=recipe, bar="embedding", card=embedding_card
)(embed)
"""Of a model that is given, whatever this run's masked-language model is."""
embed_adapted = stage(
    EmbeddedModel,
    version=2,
    parents=(Pairs, TrainedModel),
    recipe=recipe,
    bar="embedding",
    card=embedding_card,
)(embed)
"""Of this run's masked-language model."""


def check_pairs(pairs: Pairs, settings: EmbedSettings) -> str | None:
    """Why no retrieval model can be trained on these pairs, or None; told before anything else is trained.

    Raises:
        UserError: it cannot, and `without_pairs` is refuse.
    """
    count = pairs.by_split.get("train", 0)
    if not settings.enabled or count >= LEAST_PAIRS:
        return None
    dropped = ", ".join(f"{n:,} {reason}" for reason, n in pairs.dropped_by_reason.items()) or "none"
    reason = (
        f"the documents hold {count} pairs of query and passage to train on, and {LEAST_PAIRS} are needed "
        f"(mined {pairs.mined:,}; dropped: {dropped})"
    )
    if settings.without_pairs == "refuse":
        raise UserError(
            f"{reason}: give documents with titles, headings or links, or choose embed.without_pairs skip"
        )
    stage_logger().warning("No retrieval model: %s", reason)
    return reason
