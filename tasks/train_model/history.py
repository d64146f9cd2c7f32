"""What a checkpoint remembers of a run, and the points of its loss curve."""

import math
from pathlib import Path
from typing import Any

from transformers import TrainerState


def stored_state(checkpoint: Path | None) -> TrainerState | None:
    """The Trainer's state in a checkpoint."""
    return TrainerState.load_from_json(str(checkpoint / "trainer_state.json")) if checkpoint else None


def kept_by_meter(state: TrainerState | None) -> dict[str, Any]:
    """What `Meter.state` put into a checkpoint, or nothing."""
    kept: dict[str, Any] = state.stateful_callbacks.get("Meter", {}).get("attributes", {}) if state else {}
    return kept


def curve(log_history: list[dict[str, float]]) -> list[dict[str, float]]:
    """The points of the loss curve: `step`, and `loss` and `learning_rate`, or `eval_loss`."""
    kept = ("step", "loss", "learning_rate", "eval_loss")
    return [{name: point[name] for name in kept if name in point} for point in log_history]


def last_tenth(history: list[dict[str, float]]) -> float:
    """The mean training loss over the last tenth of the run's log points."""
    losses = [point["loss"] for point in history if "loss" in point]
    tail = losses[-max(1, len(losses) // 10) :]
    return sum(tail) / len(tail) if tail else math.nan
