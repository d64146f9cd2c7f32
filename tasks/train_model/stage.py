"""Stage 5: a masked language model, trained on the windows."""

import time
from dataclasses import asdict
from typing import Any

from tasks.errors import StoreError
from tasks.models.pinned import PinnedModel, local_files
from tasks.records import TokenizedDataset, TrainedModel
from tasks.stage.stage import stage
from tasks.stage.target import Target
from tasks.train_model.machines import keyed_machine, settings_as_keyed
from tasks.train_model.settings import TrainSettings
from tasks.training.resuming import find_checkpoint, kept_checkpoints


def recipe(base: PinnedModel, settings: TrainSettings, eval_tokens: int | None = None) -> dict[str, Any]:
    """What goes into a training's key: the model, and the settings that change what is learnt.

    `processes` 0 means one a GPU, and as many processes as there are make one batch, so the number that this
    machine makes of it is keyed, and so are the tokens of a step, unless its windows are given. One process
    is keyed as 0. Where what is evaluated has no bound, none is keyed.
    """
    bound = {} if eval_tokens is None else {"eval_tokens": eval_tokens}
    return {"model": base.fingerprint, **settings.keyed(), **keyed_machine(settings), **bound}


@stage(TrainedModel, version=3, parents=(TokenizedDataset,), recipe=recipe)
def train_model(
    target: Target,
    tokenized: TokenizedDataset,
    base: PinnedModel,
    settings: TrainSettings,
    eval_tokens: int | None = None,
) -> TrainedModel:
    """Train the base model to predict masked tokens of the corpus, from its newest checkpoint if any.

    Args:
        eval_tokens: most held-out tokens that are evaluated, those of a sample of documents.
    """
    from tasks.train_model.everywhere import train_everywhere
    from tasks.train_model.job import TrainJob
    from tasks.training.trackers import keep_tracks
    from tasks.training.watch import TrainingWatch

    with kept_checkpoints(target, settings.save_total_limit) as (local, keeper), target.building() as folder:
        job = TrainJob(
            data=target.fetch(tokenized),
            output=folder,
            checkpoints=local,
            trackers=target.scratch("trackers", target.key),
            settings=settings_as_keyed(settings, target.settings),
            location=None
            if base.location is None
            else str(local_files(base, target.scratch(), weights=True)),
            scratch=base.scratch,
            eval_tokens=eval_tokens,
            resume_from=find_checkpoint(target, keeper, settings.resume, local),
        )
        report = train_everywhere(job, keeper=keeper, on_progress=TrainingWatch())
        if report is None:
            return wait_for_first(target)
        keep_tracks(target.scratch("trackers", target.key), folder)
        return target.commit(folder, TrainedModel, asdict(report), of=[tokenized])


def wait_for_first(target: Target) -> TrainedModel:
    """What the first of several machines commits: the others wait for it."""
    for _ in range(600):
        if (record := target.stored_record()) is not None:
            return TrainedModel.from_json(record)
        time.sleep(1)
    raise StoreError(f"the first machine has not committed {target.uri} within 10 minutes: see its log")
