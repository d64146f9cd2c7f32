"""One clock for all arms: it stops every run at the same budget, and bends its learning rate to end there.

An arm's speed is known only when it has run, so no number of steps is set beforehand: warm-up and decay
follow the share of the budget (seconds of training, tokens or steps) that is spent, whatever the recipe. The
held-out loss is measured with the clock stopped, on a copy, by the same code for all.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from transformers import Trainer, TrainerCallback

from tasks.train_model import training as engine
from tasks.train_model.batches.loader import MaskedBatches
from tasks.train_model.batches.masking import Masker
from tasks.train_model.model.evaluation import evaluate
from tasks.train_model.model.heads import SparseRows
from tasks.train_model.reading import read_windows

SHARES = (1 / 12, 1 / 4, 1 / 2, 3 / 4, 1)
"""Of a run's budget, at which it is evaluated; before it begins, too."""
WARM_STEPS = 3
"""First steps that are left out of the speed."""

Measure = Literal["steps", "seconds", "tokens"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How long an arm trains."""

    measure: Measure
    amount: float
    learning_rate: float
    """The peak, after the warm-up."""
    warmup_share: float


class HeldOut:
    """The held-out figures of a model on docs-mlm's fixed masks, by a copy: the model stays untouched."""

    def __init__(self, corpus: Path, tokenizer: Any, copy: Any) -> None:
        self.windows = read_windows(corpus)["eval"]
        self.pad_token_id = tokenizer.pad_token_id
        self.model, self.rows = copy, SparseRows(copy)
        self.masker = Masker(
            seed=0,
            mask_token_id=tokenizer.mask_token_id,
            special_ids=tuple(sorted(tokenizer.all_special_ids)),
            vocab_size=len(tokenizer),
        )

    def __call__(self, model: Any) -> dict[str, float]:
        """Loss and accuracy of the model's weights."""
        self.model.to(model.device).load_state_dict(model.state_dict())
        return evaluate(self.model, self.rows, self.windows, self.masker, self.pad_token_id)


class Clock(TrainerCallback):
    """Times a run's steps, sets their learning rates, and ends the run.

    Args:
        held_out: measures the model on the way; None to train only.
    """

    def __init__(self, budget: Budget, held_out: HeldOut | None) -> None:
        self.budget, self.held_out = budget, held_out
        self.tokens: Any = 0
        """All but padding, not read before the end: a GPU would have to wait."""
        self.computed = 0
        self.marks: list[tuple[float, Any]] = [(0.0, 0)]
        """Seconds of training and tokens after each step."""
        self.points: list[tuple[float, float]] = []
        """Seconds (tokens, steps) and held-out loss."""
        self.accuracy: float | None = None
        self._since = 0.0

    def count(self, inputs: dict[str, torch.Tensor]) -> None:
        """Count a micro-batch's tokens, and those with padding."""
        mask = inputs.get("attention_mask")
        self.tokens = self.tokens + (inputs["input_ids"].numel() if mask is None else mask.sum())
        self.computed += inputs["input_ids"].numel()

    def spent(self) -> float:
        """How much of the budget is used up."""
        seconds, tokens = self.marks[-1]
        return {"seconds": seconds, "tokens": float(tokens), "steps": len(self.marks) - 1}[
            self.budget.measure
        ]

    def done(self) -> float:
        """The share of the budget that is used up; a little over 1 where a step did not end with it."""
        return self.spent() / self.budget.amount

    def factor(self) -> float:
        """The next step's share of the peak rate: linear warm-up and decay over the budget."""
        done, warm = self.done(), self.budget.warmup_share
        # The first step of a run would have no rate at all, and a slow arm has but a few.
        done = done or warm / 2
        return done / warm if done < warm else max(0.0, (1 - done) / (1 - warm))

    def on_train_begin(self, *_: Any, model: Any, **__: Any) -> None:
        """Measure the initial model, and start."""
        self._measure(model)
        self._since = time.perf_counter()

    def on_step_begin(self, *_: Any, optimizer: Any, **__: Any) -> None:
        """Set the step's rate; the recipe's own schedule is constant and has no say."""
        for group in optimizer.param_groups:
            group["lr"] = self.budget.learning_rate * self.factor()

    def on_step_end(self, _args: Any, _state: Any, control: Any, model: Any, **__: Any) -> None:
        """Mark the step's time; measure at even shares of the budget; stop where it ends.

        It ends with the step that comes nearest, before or after.
        """
        speed_mark = len(self.marks) in (WARM_STEPS, int(self.budget.amount))
        if torch.cuda.is_available() and (self.budget.measure != "steps" or speed_mark):
            torch.cuda.synchronize()
        before = self.spent()
        self.marks.append((self.marks[-1][0] + time.perf_counter() - self._since, self.tokens))
        spent = self.spent()
        ended = spent + (spent - before) / 2 >= self.budget.amount
        due = self.budget.amount * SHARES[min(max(len(self.points), 1), len(SHARES)) - 1]
        if ended or spent >= due:
            self._measure(model)
        control.should_training_stop = ended
        self._since = time.perf_counter()

    def result(self) -> dict[str, Any]:
        """What came of it."""
        first = self.marks[WARM_STEPS if len(self.marks) > WARM_STEPS + 1 else 0]
        seconds, tokens = self.marks[-1]
        return {
            "steps": len(self.marks) - 1,
            "tokens_per_second": float(tokens - first[1]) / (seconds - first[0]),
            "tokens": int(tokens),
            "seconds": seconds,
            "padding_share": 1 - int(tokens) / self.computed,
            "points": self.points,
            "accuracy": self.accuracy,
            "start": self.points[0][1] if self.points else None,
            "loss": self.points[-1][1] if self.points else None,
        }

    def _measure(self, model: Any) -> None:
        if self.held_out is not None:
            found = self.held_out(model)
            self.points.append((self.spent(), found["loss"]))
            self.accuracy = found["accuracy"]


def timed(trainer: type[Trainer], clock: Clock) -> type[Trainer]:
    """That trainer under the clock, and otherwise as it is."""

    class Timed(trainer):  # type: ignore[misc,valid-type]
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            self.add_callback(clock)

        def training_step(
            self, model: Any, inputs: dict[str, torch.Tensor], *args: Any, **options: Any
        ) -> Any:
            clock.count(inputs)
            return super().training_step(model, inputs, *args, **options)

    return Timed


@contextmanager
def engine_under(clock: Clock) -> Iterator[None]:
    """docs-mlm's engine under the clock, which a falling mask rate follows as the learning rate does."""
    trainer, rate_at = engine.MlmTrainer, MaskedBatches.rate_at

    def rate_by_clock(self: MaskedBatches, _step: int) -> float:
        return self.rate + (self.final_rate - self.rate) * min(clock.done(), 1.0)

    engine.MlmTrainer = timed(trainer, clock)  # type: ignore[misc,assignment]
    MaskedBatches.rate_at = rate_by_clock  # type: ignore[method-assign]
    try:
        yield
    finally:
        engine.MlmTrainer = trainer  # type: ignore[misc]
        MaskedBatches.rate_at = rate_at  # type: ignore[method-assign]
