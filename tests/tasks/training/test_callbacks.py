"""What listens to a training keeps the best weights, and ends it after a whole step."""

import signal
from pathlib import Path
from typing import Any

import pytest
from transformers import TrainerControl, TrainerState, TrainingArguments

from tasks.training.callbacks import BEST, KeepBest, StopGently, SubmitCheckpoints
from tasks.training.processes.interrupt import StopRequest


@pytest.fixture
def arguments(tmp_path: Path) -> TrainingArguments:
    """Of a training whose checkpoints go to a folder."""
    return TrainingArguments(output_dir=str(tmp_path), use_cpu=True)


def after(step: int, *losses: float, most: int = 10) -> TrainerState:
    """The state of a training after a step, with the held-out losses so far."""
    history = [{"eval_loss": loss, "step": number} for number, loss in enumerate(losses)]
    return TrainerState(global_step=step, max_steps=most, log_history=history)


@pytest.mark.parametrize(
    ("step", "asked", "log", "save", "stop"),
    [
        (3, None, False, False, False),
        (3, signal.SIGTERM, False, True, True),
        (10, None, True, False, False),
        (10, signal.SIGTERM, True, False, False),
    ],
)
def test_a_run_ends_after_the_step_in_which_it_was_asked(
    arguments: TrainingArguments, step: int, asked: int | None, log: bool, save: bool, stop: bool
) -> None:
    """With a checkpoint; the last step is logged and needs none, for the result follows."""
    control = TrainerControl()
    StopGently(StopRequest(asked)).on_step_end(arguments, after(step), control)
    assert (control.should_log, control.should_save, control.should_training_stop) == (log, save, stop)


@pytest.mark.parametrize(
    ("losses", "patience", "stop"),
    [((3.0, 2.0), 1, False), ((2.0, 3.0), 1, True), ((2.0, 3.0), 2, False), ((2.0, 3.0, 3.0), 0, False)],
)
def test_patience_ends_a_run_whose_loss_does_not_fall(
    arguments: TrainingArguments, tmp_path: Path, losses: tuple[float, ...], patience: int, stop: bool
) -> None:
    """It counts the evaluations since the lowest; 0 never ends."""
    control = TrainerControl()
    model: Any = None
    KeepBest(tmp_path, keep=False, patience=patience).on_evaluate(
        arguments, after(5, *losses), control, model
    )
    assert control.should_training_stop is stop


class Saved:
    """A model that notes that it was saved."""

    def save_pretrained(self, folder: Path) -> None:
        """Save it, as transformers does."""
        folder.mkdir(exist_ok=True)
        (folder / "model.safetensors").write_text("best")


def test_the_best_weights_travel_in_every_checkpoint(arguments: TrainingArguments, tmp_path: Path) -> None:
    """Kept where the loss is the lowest so far, linked into the checkpoint, and taken up again from it."""
    keep, model = KeepBest(tmp_path, keep=True, patience=0), Saved()
    keep.on_evaluate(arguments, after(5, 2.0, 3.0), TrainerControl(), model)  # type: ignore[arg-type] - a stand-in
    assert not (tmp_path / BEST).exists()
    keep.on_evaluate(arguments, after(6, 2.0, 1.0), TrainerControl(), model)  # type: ignore[arg-type] - a stand-in
    checkpoint = tmp_path / "checkpoint-6"
    checkpoint.mkdir()
    keep.on_save(arguments, after(6), TrainerControl())
    assert (checkpoint / BEST).samefile(tmp_path / BEST)
    again = KeepBest(tmp_path / "again", keep=True, patience=0)
    again.restore(checkpoint)
    assert again.best.read_text() == "best"
    again.restore(None)
    assert not again.best.exists()


def test_each_checkpoint_is_handed_over(arguments: TrainingArguments, tmp_path: Path) -> None:
    """Its keeper hears of the folder and the step."""
    heard: list[tuple[Path, int]] = []

    class Hears:
        submit = staticmethod(lambda folder, step: heard.append((folder, step)))

    SubmitCheckpoints(Hears()).on_save(arguments, after(7), TrainerControl())
    assert heard == [(tmp_path / "checkpoint-7", 7)]
