"""transformers' Trainer hands over what the engine's own needs of it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from transformers import TrainerCallback, TrainerControl

from tasks.train_model.arguments import training_arguments
from tasks.train_model.job import TrainJob
from tasks.train_model.parts import load_parts
from tasks.train_model.settings import TrainSettings
from tasks.train_model.trainer import MlmTrainer
from tests.tasks.train_model.conftest import TINY


class Hears(TrainerCallback):
    """Hears of evaluations, and asks to stop after one."""

    def __init__(self, stop_after: int) -> None:
        self.stop_after, self.heard = stop_after, list[tuple[int, float]]()

    def on_evaluate(
        self, args: Any, state: Any, control: TrainerControl, metrics: dict[str, float], **_: Any
    ) -> None:
        """Note step and loss."""
        self.heard.append((state.global_step, metrics["eval_loss"]))
        control.should_training_stop = len(self.heard) == self.stop_after


def make(data: Path, folder: Path, callback: TrainerCallback, **changes: Any) -> MlmTrainer:
    """A trainer of a tiny model, with one more callback."""
    settings = TrainSettings(precision="fp32", max_steps=6, logging_steps=1, **changes)
    (folder / "local").mkdir()
    job = TrainJob(data=data, output=folder, checkpoints=folder / "local", settings=settings, scratch=TINY)
    parts = load_parts(job)
    return MlmTrainer(parts, training_arguments(job, 6, 4, evaluating=True), [callback])


def test_callbacks_hear_of_every_evaluation_and_may_end_the_run(tokenized: Path, tmp_path: Path) -> None:
    """What they hear is in the log, and the run ends after the evaluation at which one asks for it."""
    callback = Hears(stop_after=2)
    trainer = make(tokenized, tmp_path, callback, eval_steps=2)
    trainer.train()
    assert [step for step, _ in callback.heard] == [2, 4]
    assert trainer.state.global_step == 4
    logged = [
        (point["step"], point["eval_loss"]) for point in trainer.state.log_history if "eval_loss" in point
    ]
    assert logged == callback.heard


def test_an_evaluation_of_nothing_is_refused(tokenized: Path, tmp_path: Path) -> None:
    """Without held-out windows there are no figures, and none are made up."""
    trainer = make(tokenized, tmp_path, Hears(1))
    trainer.parts = replace(trainer.parts, held_out=None)
    with pytest.raises(ValueError, match="no held-out windows"):
        trainer.evaluate()
