"""A retrieval model as a stage of its own: from a model that is there, or from this run's own."""

import shutil
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
from tasks.training.checkpoints import CheckpointKeeper
from tasks.training.resuming import find_checkpoint

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

    local = target.scratch("checkpoints", target.key)
    keeper = keeper_of(target, settings)
    shutil.rmtree(local, ignore_errors=True)
    local.mkdir(parents=True)
    with target.building() as folder:
        job = EmbedJob(
            pairs=target.fetch(pairs),
            model=target.fetch(trained) / TrainedModel.MODEL
            if base is None
            else local_files(base, target.scratch(), weights=True),
            output=folder,
            checkpoints=local,
            settings=settings,
            resume_from=find_checkpoint(target, keeper, settings.resume, local, setting="embed.resume"),
        )
        figures = train(job, keeper=keeper, tell=tell)
        made = target.commit(folder, EmbeddedModel, {"base": name} | figures, of=of)
    keeper.close()
    # Only now, when the store vouches for the result, is there nothing left to resume here.
    shutil.rmtree(local, ignore_errors=True)
    shutil.rmtree(target.scratch("spool", target.key), ignore_errors=True)
    return made


embed_model = stage(
    EmbeddedModel, version=1, parents=(Pairs,), recipe=recipe, bar="embedding", card=embedding_card
)(embed)
"""Of a model that is given, whatever this run's masked-language model is."""
embed_adapted = stage(
    EmbeddedModel,
    version=1,
    parents=(Pairs, TrainedModel),
    recipe=recipe,
    bar="embedding",
    card=embedding_card,
)(embed)
"""Of this run's masked-language model."""


def keeper_of(target: Target, settings: EmbedSettings) -> CheckpointKeeper:
    """Who keeps this training's checkpoints, on this machine and in the store."""
    return CheckpointKeeper(
        target.store,
        target.store.uri("checkpoints", target.key),
        target.scratch("spool", target.key),
        keep=settings.save_total_limit,
        setting="embed.resume",
    )


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
