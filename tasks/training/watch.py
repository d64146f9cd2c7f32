"""A training as it can be watched in the Prefect UI: a bar, and a growing loss curve."""

import logging
import time
from typing import Any

from httpx import HTTPError
from prefect.artifacts import create_markdown_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactUpdate
from prefect.exceptions import PrefectException

from tasks.stage.progress import ProgressBar
from tasks.training.curve import loss_curve

EVERY_SECONDS = 10.0
"""Time between two updates of a training; each costs two requests, 20 ms apiece."""


class TrainingWatch:
    """Told of every log point, it updates two artifacts of the task run, `train-progress` and `training`."""

    def __init__(self, *, every_seconds: float = EVERY_SECONDS) -> None:
        self._every = every_seconds
        self._points: list[dict[str, Any]] = []
        self._shown = -float("inf")
        self._bar = ProgressBar("train-progress")
        self._curve: Any = create_markdown_artifact(
            "The first log point is not there yet.", key="training", description="How training goes"
        )

    def __call__(self, point: dict[str, Any]) -> None:
        """Take a log point: `step`, `total`, `loss`, `tokens_per_second`, `seconds_left`; or `eval_loss`."""
        self._points.append(point)
        now = time.monotonic()
        if "total" not in point or (now - self._shown < self._every and point["step"] < point["total"]):
            return
        self._shown = now
        self._bar.show(progress_line(point), progress_percent(point))
        try:
            curve = f"{progress_line(point)}\n\n{loss_curve(self._points, total=int(point['total']))}"
            with get_client(sync_client=True) as client:
                client.update_artifact(self._curve, ArtifactUpdate(data=curve))
        except (HTTPError, PrefectException, OSError) as error:
            logging.getLogger("docs_mlm").debug("The progress could not be shown: %s", error)


def progress_percent(point: dict[str, Any]) -> float:
    """How much of the training is done, 0 to 100."""
    step, total = float(point["step"]), float(point["total"])
    return round(min(100.0, 100.0 * step / max(total, 1.0)), 1)


def progress_line(point: dict[str, Any]) -> str:
    """Steps, loss, speed and time left, in words."""
    minutes, seconds = divmod(round(point["seconds_left"]), 60)
    hours, minutes = divmod(minutes, 60)
    left = f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {seconds:02d} s"
    return (
        f"Step {point['step']:,} of {point['total']:,}: loss {point['loss']:.3f}, "
        f"{point['tokens_per_second']:,.0f} tokens/s, {left} left"
    )
