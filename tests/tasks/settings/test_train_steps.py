"""What an optimizer step does: its rate, its decay, its gradients and its arithmetic, by closed forms."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tasks.training import hardware
from tests.tasks.settings.conftest import Runs
from tests.tasks.settings.watching import same, watched

STILL: dict[str, Any] = {"lr_scheduler_type": "constant", "warmup_share": 0.0, "max_steps": 1}
"""One step at the full rate."""


def linear(step: int, total: int, warmup: int) -> float:
    """A straight line up, and a straight line down to 0 at the end."""
    return step / warmup if step < warmup else (total - step) / (total - warmup)


def cosine(step: int, total: int, warmup: int) -> float:
    """A straight line up, and half a cosine down."""
    done = (step - warmup) / (total - warmup)
    return step / warmup if step < warmup else 0.5 * (1 + math.cos(math.pi * done))


def constant(step: int, total: int, warmup: int) -> float:
    """The peak, from the first step on."""
    return 1.0


def constant_with_warmup(step: int, total: int, warmup: int) -> float:
    """A straight line up, and the peak."""
    return min(step / warmup, 1.0)


@pytest.mark.setting("train.learning_rate", "train.warmup_share", "train.lr_scheduler_type")
@pytest.mark.parametrize(
    ("schedule", "peak", "share", "warmup"),
    [
        (linear, 2e-3, 0.25, 3),
        (cosine, 5e-3, 0.3, 4),
        (constant, 3e-4, 0.06, 1),
        (constant_with_warmup, 1e-2, 0.5, 6),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_the_rate_of_every_step_is_that_of_the_schedule(
    runs: Runs, schedule: Callable[[int, int, int], float], peak: float, share: float, warmup: int
) -> None:
    """Each of 12 steps takes the peak times the schedule's closed form, and the curve says the same."""
    run = runs(learning_rate=peak, warmup_share=share, lr_scheduler_type=schedule.__name__)
    expected = [peak * schedule(step, 12, warmup) for step in range(12)]
    assert [len(step.rates) for step in run.steps] == [1] * 12
    assert [max(step.rates) for step in run.steps] == pytest.approx(expected, rel=1e-9)
    assert [point["learning_rate"] for point in run.history] == pytest.approx(expected, rel=1e-9)


@pytest.mark.setting("train.warmup_share")
def test_without_warmup_the_first_step_takes_the_peak(runs: Runs) -> None:
    """A share of 0 begins at the peak."""
    run = runs(warmup_share=0.0)
    assert [max(step.rates) for step in run.steps] == pytest.approx([3e-3 * (12 - n) / 12 for n in range(12)])


@pytest.mark.setting("train.weight_decay", "train.learning_rate")
@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_a_step_is_adamws(runs: Runs, decay: float) -> None:
    """After one step p is p − rate · decay · p − rate · g / (|g| + ε); biases and norms do not decay."""
    (step,) = runs(weight_decay=decay, learning_rate=0.01, **STILL).steps
    for name, before in step.before.items():
        mine = 0.0 if name.endswith("bias") or "LayerNorm" in name else decay
        assert step.decay[name] == mine, name
        gradient = step.gradients[name]
        expected = before - 0.01 * mine * before - 0.01 * gradient / (gradient.abs() + 1e-8)
        torch.testing.assert_close(step.after[name], expected, rtol=1e-4, atol=1e-6)


@pytest.mark.setting("train.max_grad_norm")
def test_gradients_are_clipped_to_the_norm_asked_for(runs: Runs) -> None:
    """A gradient of norm n has norm min(n, limit) when the optimizer gets it; a limit of 0 is none."""
    free = [step.norm for step in runs(max_grad_norm=0.0).steps]
    for limit in (free[0] / 4, free[0] * 4):
        clipped = [step.norm for step in runs(max_grad_norm=limit).steps]
        assert clipped[0] == pytest.approx(min(free[0], limit), rel=1e-4)
        assert max(clipped) <= limit * (1 + 1e-4)


@pytest.mark.setting("train.precision")
@pytest.mark.parametrize(
    ("precision", "fast", "dtype"),
    [
        ("fp32", True, None),
        ("bf16", False, torch.bfloat16),
        ("auto", True, torch.bfloat16),
        ("auto", False, None),
    ],
)
def test_the_precision_is_that_of_the_products(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: str, fast: bool, dtype: Any
) -> None:
    """bf16 is autocast in training, fp32 is none, and auto is what is fast here; the report says which."""
    monkeypatch.setattr(hardware, "fast_bf16", lambda: fast)
    run = watched(corpus, tmp_path, precision=precision, max_steps=1)
    assert [batch.autocast for batch in run.steps[0].batches] == [dtype]
    assert run.report is not None
    assert run.report.precision == ("fp32" if dtype is None else "bf16")


@pytest.mark.setting("train.attention_dropout", "train.hidden_dropout")
@pytest.mark.parametrize(("attention", "hidden"), [(0.2, 0.3), (0.0, 0.0), (None, 0.4), (0.25, None)])
def test_dropout_is_the_models_in_training_only(
    runs: Runs, attention: float | None, hidden: float | None
) -> None:
    """Every dropout layer has the rate asked for, or the checkpoint's; what is saved always has its own."""
    run = runs(attention_dropout=attention, hidden_dropout=hidden, max_steps=1)
    rates = run.steps[0].batches[0].dropout
    weights = {rate for name, rate in rates.items() if "attention.self" in name}
    states = {rate for name, rate in rates.items() if "attention.self" not in name}
    assert weights == {0.1 if attention is None else attention}
    assert states == {0.1 if hidden is None else hidden}
    saved = json.loads((run.folder / "out" / "model" / "config.json").read_text())
    assert saved["attention_probs_dropout_prob"] == saved["hidden_dropout_prob"] == 0.1


@pytest.mark.setting("train.torch_compile")
def test_the_model_is_compiled_if_asked(
    corpus: Path, tmp_path: Path, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """torch is told to compile the model, or is not; the weights are the same."""
    compiled: list[Any] = []
    monkeypatch.setattr(torch, "compile", lambda model, **_: compiled.append(model) or model)
    plain = watched(corpus, tmp_path / "plain", max_steps=2)
    assert compiled == []
    run = watched(corpus, tmp_path / "compiled", max_steps=2, torch_compile=True)
    assert len(compiled) == 1
    assert same(run.weights, plain.weights)
