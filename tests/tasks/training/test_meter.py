"""What a run says about itself."""

import math

import pytest
import torch

from tasks.errors import UserError
from tasks.training.meter import Meter


def test_divergence_is_told() -> None:
    """A loss that is no number ends the run with the way out, instead of publishing a broken model."""
    meter = Meter(total=100, flops_per_token=1.0)
    meter.add(torch.tensor(math.nan), real=10, computed=12)
    meter.on_step_end()
    with pytest.raises(UserError, match=r"diverged: the loss is nan at step 7.*learning_rate"):
        meter.take_loss(7)


def test_the_interval_is_the_mean_over_its_steps() -> None:
    """Losses add up within a step and are averaged over an interval's steps; none counts twice."""
    meter = Meter(total=100, flops_per_token=1.0)
    for loss in (1.0, 2.0):
        for part in (loss / 4, 3 * loss / 4):
            meter.add(torch.tensor(part), real=8, computed=10)
        meter.on_step_end()
    assert meter.take_loss(2) == 1.5
    assert meter.padding_share == pytest.approx(0.2)
    meter.add(torch.tensor(7.0), real=8, computed=10)
    meter.on_step_end()
    assert meter.take_loss(3) == 7.0


def test_log_points_tell_the_listener() -> None:
    """A listener hears step, loss, rate, speed, padding, memory and the time left."""
    heard = []
    meter = Meter(total=10, flops_per_token=1.0, on_progress=heard.append)
    meter.on_step_begin()
    meter.add(torch.tensor(1.0), real=8, computed=10)
    meter.on_step_end()
    meter.report(1, 1.0, 0.1)
    (event,) = heard
    assert event["step"] == 1
    assert event["total"] == 10
    assert event["padding_share"] == pytest.approx(0.2)
    assert event["seconds_left"] == pytest.approx(9 * meter.seconds)
    assert event["tokens_per_second"] == pytest.approx(8 / meter.seconds)
    assert event["peak_memory_bytes"] > 1e7
