"""What a run tells while it trains: loss, rate, tokens a second, padding, memory and time left.

The sums of the current logging interval travel in the checkpoint, so that a run that was killed between two
log points reports the same losses as one that was not.
"""

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import ExportableState

from tasks.errors import UserError
from tasks.stage.log import stage_logger
from tasks.training.hardware import peak_flops, peak_memory_bytes
from tasks.training.processes import ranks

Listener = Callable[[dict[str, Any]], None]


class Meter(TrainerCallback, ExportableState):
    """Counts tokens, padding, loss and time of a run.

    Args:
        total: optimizer steps of the whole run.
        flops_per_token: operations of a training step for one real token, without recomputation.
        on_progress: told of every log point.
    """

    def __init__(self, total: int, flops_per_token: float, on_progress: Listener | None = None) -> None:
        self.total, self.flops_per_token, self._listener = total, flops_per_token, on_progress
        # Kept on the device, so that counting never waits for it: loss, tokens, tokens with padding.
        self._step, self._sums = torch.zeros(3, dtype=torch.float64), torch.zeros(3, dtype=torch.float64)
        self._interval_loss, self._interval_steps = torch.zeros((), dtype=torch.float64), 0
        self.baseline: dict[str, Any] | None = None
        """What was measured before training, kept for runs that resume."""
        self.steps, self.seconds = 0, 0.0
        """Of this process, evaluation and checkpoints not counted."""
        self._since: float | None = None
        self._mark = (0.0, 0.0, 0.0)
        self._said = -math.inf

    def add(self, loss: torch.Tensor, real: torch.Tensor | int, computed: int) -> None:
        """Count one micro-batch: its loss, its tokens, and its tokens with padding."""
        counts = [
            number.double()
            if isinstance(number, torch.Tensor)
            else torch.full((), number, dtype=torch.float64, device=loss.device)
            for number in (real, computed)
        ]
        self._step = self._step.to(loss.device) + torch.stack((loss.double(), *counts))

    @property
    def tokens(self) -> float:
        """Tokens trained on, padding not counted."""
        return float(self._sums[1])

    @property
    def tokens_per_second(self) -> float:
        """Tokens trained on a second, padding not counted."""
        return self.tokens / self.seconds if self.seconds else 0.0

    @property
    def padding_share(self) -> float:
        """Share of the computed tokens that were padding."""
        return 1 - self.tokens / float(self._sums[2]) if self.steps else 0.0

    @property
    def mfu(self) -> float | None:
        """Share of the GPU's peak arithmetic that went into the model, or None where it is not known."""
        return self._mfu(self.tokens_per_second)

    def _mfu(self, tokens_per_second: float) -> float | None:
        peak = peak_flops()
        return tokens_per_second * self.flops_per_token / (peak * ranks.ranks()) if peak else None

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps of the current interval."""
        loss, steps = float(self._interval_loss), self._interval_steps
        return {"args": {}, "attributes": {"loss_sum": loss, "steps": steps, "baseline": self.baseline}}

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Take up the interval where the checkpoint left it."""
        kept = kept_by_meter(state)
        self._interval_loss = torch.tensor(kept.get("loss_sum", 0.0), dtype=torch.float64)
        self._interval_steps = kept.get("steps", 0)

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        """Start the clock."""
        self._since = self._since or time.perf_counter()

    def on_step_end(
        self,
        args: TrainingArguments | None = None,
        state: TrainerState | None = None,
        control: TrainerControl | None = None,
        **_: Any,
    ) -> None:
        """Count a step, of all processes together; a checkpoint that follows is not its time."""
        if control is not None and control.should_save:
            self.pause()
        step = ranks.total(self._step)
        # Each process's loss is its share of the step's times the number of processes.
        self._interval_loss = self._interval_loss.to(step.device) + step[0] / ranks.ranks()
        self._sums = self._sums.to(step.device) + step
        self._step = torch.zeros_like(step)
        self.steps += 1
        self._interval_steps += 1

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: dict[str, float],
        **_: Any,
    ) -> None:
        """Tell of an evaluation during the run."""
        if self._listener:
            self._listener({"step": state.global_step, "eval_loss": metrics["eval_loss"]})

    def pause(self) -> None:
        """Stop the clock until the next step."""
        if self._since is not None:
            self.seconds += time.perf_counter() - self._since
            self._since = None

    def take_loss(self, step: int) -> float:
        """The mean loss of the interval that ends at `step`; begins the next.

        Raises:
            UserError: it is not a finite number.
        """
        loss = float(self._interval_loss) / max(self._interval_steps, 1)
        self._interval_loss, self._interval_steps = torch.zeros_like(self._interval_loss), 0
        if not math.isfinite(loss):
            raise UserError(
                f"training diverged: the loss is {loss} at step {step}; lower train.learning_rate "
                "or raise train.warmup_share"
            )
        return loss

    def report(self, step: int, loss: float, learning_rate: float) -> dict[str, float]:
        """Log one line, tell the listener, and return the figures for trackers."""
        self.pause()
        before, (_, tokens, computed) = self._mark, self._sums.tolist()
        self._mark = (tokens, computed, self.seconds)
        rate = (tokens - before[0]) / max(self.seconds - before[2], 1e-9)
        padding = 1 - (tokens - before[0]) / max(computed - before[1], 1)
        left = (self.total - step) * self.seconds / max(self.steps, 1)
        figures = {"tokens_per_second": rate, "padding_share": padding, "seconds_left": left}
        figures["seconds"] = self.seconds
        figures["peak_memory_bytes"] = float(peak_memory_bytes())
        if (mfu := self._mfu(rate)) is not None:
            figures["mfu"] = mfu
        # A line every few seconds is enough for a person; the curve keeps every point.
        now = time.monotonic()
        if (now - self._said > 5 or step >= self.total) and ranks.rank() == 0:
            self._said = now
            stage_logger().info(
                "Step %d/%d: loss %.4f, rate %.2e, %s tokens/s, padding %.1f %%, %.1f GB, %s left%s",
                step,
                self.total,
                loss,
                learning_rate,
                f"{rate:,.0f}",
                100 * padding,
                figures["peak_memory_bytes"] / 1e9,
                _clock(left),
                f", {mfu:.0%} of the GPU's peak" if mfu is not None else "",
            )
        if self._listener:
            self._listener(
                {"step": step, "total": self.total, "loss": loss, "learning_rate": learning_rate, **figures}
            )
        return figures


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}" if minutes >= 60 else f"{minutes}:{rest:02d}"


def stored_state(checkpoint: Path | None) -> TrainerState | None:
    """The Trainer's state in a checkpoint."""
    return TrainerState.load_from_json(str(checkpoint / "trainer_state.json")) if checkpoint else None


def kept_by_meter(state: TrainerState | None) -> dict[str, Any]:
    """What `Meter.state` put into a checkpoint, or nothing."""
    kept: dict[str, Any] = state.stateful_callbacks.get("Meter", {}).get("attributes", {}) if state else {}
    return kept
