"""What listens to a training: who stops it gently, keeps its best weights, and hands its checkpoints over."""

import os
import shutil
import signal
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.modeling_utils import PreTrainedModel

from tasks.training.processes import ranks
from tasks.training.processes.interrupt import StopRequest

BEST = "best.safetensors"
"""The weights of the lowest held-out loss so far, beside the newest in every checkpoint."""


class StopGently(TrainerCallback):
    """Ends the run after the step in which a signal came, with a checkpoint; and logs the last step.

    Of several processes all end after the same step: each tells the others, and hears them one step later,
    when their answers are there without waiting.
    """

    def __init__(self, request: StopRequest) -> None:
        self.request = request
        self._heard: Tensor | None = None

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Decide what follows the step."""
        asked = self.request.signal is not None
        if ranks.ranks() > 1:
            mine = torch.full((), float(asked), device=args.device)
            asked = self._heard is not None and bool(self._heard)
            self._heard = ranks.total(mine)
        if state.global_step >= state.max_steps:
            control.should_log = True
        elif asked:
            self.request.signal = self.request.signal or signal.SIGTERM
            control.should_save = control.should_training_stop = True


class KeepBest(TrainerCallback):
    """Keeps the weights of the lowest held-out loss; stops when it has not fallen for `patience` evaluations.

    What was lowest is read from the log, which every checkpoint carries, so that a restart forgets nothing.
    """

    def __init__(self, folder: Path, *, keep: bool, patience: int) -> None:
        self.best, self.keep, self.patience = folder / BEST, keep, patience

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: PreTrainedModel,
        **_: Any,
    ) -> None:
        """Compare the newest evaluation with those before."""
        if self.keep and _since_lowest(state.log_history) == 0 and state.is_world_process_zero:
            model.save_pretrained(self.best.parent / "best")
            (self.best.parent / "best" / "model.safetensors").replace(self.best)
        control.should_training_stop |= self.exhausted(state.log_history)

    def exhausted(self, log_history: list[dict[str, float]]) -> bool:
        """Whether the held-out loss has not fallen for `patience` evaluations."""
        return bool(self.patience) and _since_lowest(log_history) >= self.patience

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Put the best weights into the checkpoint, as another name of the same file."""
        folder = self.best.parent / f"checkpoint-{state.global_step}"
        if self.best.is_file() and state.is_world_process_zero and not (folder / BEST).exists():
            os.link(self.best, folder / BEST)

    def restore(self, checkpoint: Path | None) -> None:
        """Take the best weights from the checkpoint that the run resumes from; without one, begin anew."""
        self.best.unlink(missing_ok=True)
        if checkpoint is not None and (checkpoint / BEST).is_file():
            self.best.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(checkpoint / BEST, self.best)


def _since_lowest(log_history: list[dict[str, float]]) -> int:
    """Evaluations since the one with the lowest loss."""
    losses = [point["eval_loss"] for point in log_history if "eval_loss" in point]
    return len(losses) - 1 - losses.index(min(losses)) if losses else 0


class SubmitCheckpoints(TrainerCallback):
    """Hands every finished checkpoint to whoever keeps them."""

    def __init__(self, keeper: Any) -> None:
        self.keeper = keeper

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Hand over the folder that was just written."""
        if state.is_world_process_zero:
            self.keeper.submit(Path(args.output_dir) / f"checkpoint-{state.global_step}", state.global_step)
