"""transformers' Trainer hands over what the engine's own needs of it."""

import ast
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from transformers import TrainerCallback, TrainerControl

from tasks import train_model
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
    return MlmTrainer(parts, training_arguments(job, 6, evaluating=True), [callback])


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


PRIVATE = {
    ("model/attention.py", "_attn_implementation"): "test_attention.py",
    ("arguments.py", "_n_gpu"): "test_arguments.py",
}
"""What is used of what libraries keep to themselves, and where a test says so."""


def private_names(path: Path) -> set[str]:
    """The private names that a file takes of anything but its own objects and modules."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Attribute) and not (
            isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
        ):
            names = [node.attr]
        elif isinstance(node, ast.ImportFrom):
            names = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [part for alias in node.names for part in alias.name.split(".")]
        found |= {name for name in names if name.startswith("_") and not name.startswith("__")}
    return found


def test_private_parts_of_libraries_are_taken_in_one_place_each() -> None:
    """Each in one file, so that another version of the library is met there, by that file's own test."""
    (root,) = train_model.__path__
    found = {
        (path.relative_to(root).as_posix(), name)
        for path in Path(root).rglob("*.py")
        for name in private_names(path)
    }
    assert found == PRIVATE.keys()
