"""Adapt a model to the corpus: continued masked-language-model training.

A code tour: `masking` draws what must be predicted (by `counting`; `strategies` say which tokens together),
`sentences` and `pairs` draw the second objective's segments, `batching` plans which windows make a step,
`heads` computes the losses only at the rows that have one, `trainer` puts these under transformers' Trainer,
`engine` runs a job from weights to weights, `evaluation` and `samples` tell what it learned, `checkpoints`
keeps it safe meanwhile. Importing this package costs nothing: torch waits for the task.
"""

import re
import shutil
import time
from dataclasses import asdict
from pathlib import Path

from tasks.base_models import BaseModel, local_files
from tasks.errors import StoreError, UserError
from tasks.records import TokenizedDataset, TrainedModel
from tasks.run_progress import TrainingWatch
from tasks.settings import TrainSettings
from tasks.stage import Step, ancestors_of, stage
from tasks.train_model.checkpoints import CheckpointKeeper


@stage(TrainedModel)
def train_model(
    step: Step, tokenized: TokenizedDataset, base: BaseModel, settings: TrainSettings
) -> TrainedModel:
    """Train the base model to predict masked tokens of the corpus, from its newest checkpoint if any."""
    from tasks.train_model.job import TrainJob
    from tasks.train_model.launch import train_everywhere

    local = step.scratch("checkpoints", step.key)
    keeper = CheckpointKeeper(
        step.store,
        step.store.uri("checkpoints", step.key),
        step.scratch("spool", step.key),
        keep=settings.save_total_limit,
    )
    shutil.rmtree(local, ignore_errors=True)
    local.mkdir(parents=True)
    with step.building() as folder:
        job = TrainJob(
            data=step.fetch(tokenized),
            output=folder,
            checkpoints=local,
            settings=settings,
            location=None if base.location is None else str(local_files(base, step.scratch(), weights=True)),
            scratch=base.scratch,
            resume_from=find_checkpoint(step, keeper, settings.resume, local),
        )
        outcome = train_everywhere(job, keeper=keeper, on_progress=TrainingWatch())
        if outcome is None:
            return wait_for_first(step)
        record = TrainedModel(uri=step.uri, key=step.key, **asdict(outcome))
        trained = step.commit(folder, record, ancestors=ancestors_of(tokenized))
    keeper.close()
    # Only now, when the store vouches for the result, is there nothing left to resume here.
    shutil.rmtree(local, ignore_errors=True)
    shutil.rmtree(step.scratch("spool", step.key), ignore_errors=True)
    return trained


def wait_for_first(step: Step) -> TrainedModel:
    """What the first of several machines commits: the others wait for it."""
    for _ in range(600):
        if (manifest := step.store.manifest(step.uri)) is not None:
            return TrainedModel.from_json(manifest.record)
        time.sleep(1)
    raise StoreError(f"the first machine has not committed {step.uri} within 10 minutes: see its log")


def find_checkpoint(step: Step, keeper: CheckpointKeeper, resume: str, local: Path) -> Path | None:
    """The checkpoint to go on from, whole and verified in `local`, or None to begin.

    Raises:
        UserError: `resume` names a checkpoint that is not there.
    """
    if resume == "fresh":
        keeper.discard()
        return None
    if resume == "auto":
        found = keeper.newest(local)
        return found[0] if found else None
    name = re.fullmatch(r"step-(\d+)-[0-9a-f]+", resume.rstrip("/").rsplit("/", 1)[-1])
    if name is None or step.store.manifest(resume.rstrip("/")) is None:
        raise UserError(
            f"train.resume {resume!r} is no whole checkpoint of this store: give auto, fresh, or "
            f"{step.store.uri('checkpoints')}/…/step-…"
        )
    return step.store.fetch(resume.rstrip("/"), local / f"checkpoint-{int(name[1])}")
