"""What is shown of a training while it goes on."""

import pytest
from prefect import flow, task

from tasks.training.watch import TrainingWatch, progress_line, progress_percent
from tests.tasks.stage.test_progress import artifacts_of_this_run

POINT = {"step": 50, "total": 200, "loss": 2.5, "tokens_per_second": 12345.6, "seconds_left": 75}


def test_a_point_becomes_a_line_and_a_share():
    """Steps, loss, speed and time left in words, and the share of the steps."""
    assert progress_line(POINT) == "Step 50 of 200: loss 2.500, 12,346 tokens/s, 1 min 15 s left"
    assert progress_line(POINT | {"seconds_left": 7384}).endswith("2 h 03 min left")
    assert progress_percent(POINT) == 25.0
    assert progress_percent(POINT | {"step": 201}) == 100.0


@pytest.mark.usefixtures("prefect_server")
def test_artifacts_grow_with_the_training():
    """Both artifacts are updated in place: at the first point, not again too soon, and at the last."""
    seen = []

    @task
    def train():
        watch = TrainingWatch(every_seconds=60)
        for step in (50, 100, 200):
            watch(POINT | {"step": step})
            artifacts = artifacts_of_this_run()
            seen.append((artifacts["train-progress"].data, artifacts["training"].data[:14]))

    @flow
    def watched():
        train()

    watched()
    assert [share for share, _ in seen] == [25.0, 25.0, 100.0]
    assert [line for _, line in seen] == ["Step 50 of 200", "Step 50 of 200", "Step 200 of 20"]
