"""Training as it can be watched in the Prefect UI: a progress bar and a growing loss curve."""

import logging
import time
from typing import Any

from httpx import HTTPError
from prefect.artifacts import create_markdown_artifact, create_progress_artifact, update_progress_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactUpdate
from prefect.exceptions import PrefectException

from tasks.loss_curve import loss_curve

EVERY_SECONDS = 10.0
"""Time between two updates; each costs two requests, 20 ms apiece."""
_LOG = logging.getLogger("docs_mlm")


class TrainingWatch:
    """Told of every log point, it updates two artifacts of the current task run, `progress` and `training`.

    What is shown is never worth a run: an update that fails is left out.
    """

    def __init__(self, *, every_seconds: float = EVERY_SECONDS) -> None:
        self._every = every_seconds
        self._points: list[dict[str, Any]] = []
        self._shown = -float("inf")
        self._bar: Any = create_progress_artifact(0.0, key="progress", description="Training has begun")
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
        try:
            update_progress_artifact(self._bar, progress_percent(point), description=progress_line(point))
            curve = f"{progress_line(point)}\n\n{loss_curve(self._points, total=int(point['total']))}"
            with get_client(sync_client=True) as client:
                client.update_artifact(self._curve, ArtifactUpdate(data=curve))
        except (HTTPError, PrefectException, OSError) as error:
            _LOG.debug("The progress could not be shown: %s", error)


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
