"""A run, whole or interrupted: the same batches, losses and weights."""

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForMaskedLM, AutoTokenizer

from tasks.store.folders import Store
from tasks.train_model.job import TrainJob, TrainReport
from tasks.train_model.settings import TrainSettings
from tasks.train_model.training import train
from tasks.training.checkpoints import CheckpointKeeper
from tests.tasks.train_model.conftest import TINY

BASE = {
    "num_train_epochs": 3,
    "per_device_train_batch_size": 8,
    "learning_rate": 3e-3,
    "logging_steps": 5,
    "save_steps": 4,
    "precision": "fp32",
}
"""50 windows: 7 steps an epoch, the last with 2 windows; log points and save points are not the same."""

Listener = Callable[[dict[str, Any]], None]


def run(
    data: Path, folder: Path, *, resume: bool = False, on_progress: Listener | None = None, **changes: Any
) -> tuple[TrainReport, dict[str, torch.Tensor]]:
    """Train in `folder`, with a store of its own, from its newest checkpoint if asked."""
    keeper = CheckpointKeeper(
        Store(str(folder / "store")),
        Store(str(folder / "store")).uri("checkpoints", "k"),
        folder / "spool",
        keep=2,
        wait=True,
    )
    found = keeper.newest(folder / "local") if resume else None
    job = TrainJob(
        data=data,
        output=folder / "out",
        checkpoints=folder / "local",
        settings=TrainSettings(**(BASE | changes)),
        scratch=TINY,
        resume_from=found[0] if found else None,
    )
    job.output.mkdir(parents=True, exist_ok=True)
    try:
        report = train(job, keeper=keeper, on_progress=on_progress)
    finally:
        keeper.close()
    return report, load_file(folder / "out" / "model" / "model.safetensors")


def interrupt_at(step: int) -> Listener:
    """Sends SIGINT at the first log point from `step` on, as a person pressing Ctrl-C does."""

    def listen(event: dict[str, Any]) -> None:
        if event["step"] == step:
            signal.raise_signal(signal.SIGINT)

    return listen


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    """Whether two sets of weights are equal bit by bit."""
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture(scope="module")
def uninterrupted(tokenized: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The run that nothing interrupts, by its settings."""
    done: dict[str, Any] = {}

    def whole(**changes: Any) -> tuple[TrainReport, dict[str, torch.Tensor]]:
        name = json.dumps(changes, sort_keys=True)
        if name not in done:
            done[name] = run(tokenized, tmp_path_factory.mktemp("whole"), **changes)
        return done[name]

    return whole


def test_a_run_learns_and_its_model_loads(tokenized: Path, tmp_path: Path) -> None:
    """A longer run learns, and what it writes loads with plain transformers, its dropout rates intact."""
    report, weights = run(tokenized, tmp_path, num_train_epochs=40, learning_rate=1e-2, save_steps=1000)
    assert report.eval_before is not None
    assert report.eval_after is not None
    assert report.eval_after["loss"] < report.eval_before["loss"] - 1.5
    assert report.global_step == 280
    assert report.tokens_per_second > 0
    assert 0 < report.padding_share < 0.2
    assert report.history[-1]["step"] == 280
    assert 3 <= len(report.fill_samples) <= 5
    model = AutoModelForMaskedLM.from_pretrained(tmp_path / "out" / "model")
    assert model.config.attention_probs_dropout_prob == 0.1
    assert same({k: v for k, v in model.state_dict().items() if k in weights}, weights)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out" / "model")
    assert tokenizer.mask_token == "[MASK]"


@pytest.mark.parametrize("stop", [1, 6, 7, 13, 20])
def test_resume_is_exact(tokenized: Path, tmp_path: Path, uninterrupted: Any, stop: int) -> None:
    """Stopped after any step, mid-epoch or at its end, a run goes on to bit-identical losses and weights."""
    whole, weights = uninterrupted(logging_steps=1)
    with pytest.raises(KeyboardInterrupt):
        run(tokenized, tmp_path, on_progress=interrupt_at(stop), logging_steps=1)
    resumed, again = run(tokenized, tmp_path, resume=True, logging_steps=1)
    # The signal comes at a step's log point, after its stop was decided: the next step ends it.
    assert resumed.resumed_from_step == stop + 1
    assert resumed.history == whole.history
    assert resumed.eval_before == whole.eval_before
    assert resumed.eval_after == whole.eval_after
    assert resumed.fill_samples == whole.fill_samples
    assert same(weights, again)


@pytest.mark.parametrize(("workers", "stops"), [(0, (5, 15)), (2, (20,))])
def test_resume_is_exact_with_accumulation_and_workers(
    tokenized: Path, tmp_path: Path, uninterrupted: Any, workers: int, stops: tuple[int, ...]
) -> None:
    """With accumulation, and with 0 or 2 data workers, interrupted runs end in the same weights."""
    changes: dict[str, Any] = {"per_device_train_batch_size": 3, "gradient_accumulation_steps": 2}
    whole, weights = uninterrupted(**changes)
    changes["dataloader_num_workers"] = workers
    for stop in stops:
        with pytest.raises(KeyboardInterrupt):
            run(tokenized, tmp_path, resume=True, on_progress=interrupt_at(stop), **changes)
    resumed, again = run(tokenized, tmp_path, resume=True, **changes)
    assert resumed.resumed_from_step == stops[-1] + 1
    assert resumed.history == whole.history
    assert same(weights, again)


def test_a_stopped_run_gives_the_store_its_time(
    tokenized: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Before it ends, a run that was asked to stop waits for its last checkpoint, 25 s and no longer."""
    waited: list[float | None] = []

    def never(_: CheckpointKeeper, timeout: float | None = None) -> bool:
        waited.append(timeout)
        return False

    monkeypatch.setattr(CheckpointKeeper, "close", never)
    with pytest.raises(KeyboardInterrupt):
        run(tokenized, tmp_path, on_progress=interrupt_at(1), logging_steps=1)
    assert waited[0] == 25
    assert "The last checkpoint is not in the store" in caplog.text


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.tasks.train_model.test_training import run

def die(event):
    if event["step"] == 10:
        os.kill(os.getpid(), signal.SIGKILL)

run(Path(sys.argv[1]), Path(sys.argv[2]), on_progress=die)
"""


def test_resume_after_sigkill_is_exact(tokenized: Path, tmp_path: Path, uninterrupted: Any) -> None:
    """Killed without warning at step 10, a run goes on from the checkpoint of step 8 to the same weights."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    command = [sys.executable, "-c", KILLED, str(tokenized), str(tmp_path)]
    killed = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    resumed, again = run(tokenized, tmp_path, resume=True)
    whole, weights = uninterrupted()
    assert resumed.resumed_from_step == 8
    assert resumed.history == whole.history
    assert same(weights, again)


def test_a_finished_run_is_not_trained_again(tokenized: Path, tmp_path: Path, uninterrupted: Any) -> None:
    """When only the result was lost, the last checkpoint gives it back without another step."""
    run(tokenized, tmp_path, max_steps=10)
    resumed, weights = run(tokenized, tmp_path, resume=True, max_steps=10)
    whole, expected = uninterrupted(max_steps=10)
    assert resumed.global_step == resumed.resumed_from_step == 10
    assert resumed.history == whole.history
    assert resumed.eval_after == whole.eval_after
    assert same(weights, expected)


@pytest.mark.parametrize("split", [(4, 2), (2, 4), (1, 8)])
def test_accumulation_changes_nothing(tokenized: Path, uninterrupted: Any, split: tuple[int, int]) -> None:
    """A batch of 8 gives the same losses, to rounding, however it is split into accumulation steps."""
    changes = {"hidden_dropout": 0.0, "logging_steps": 1}
    whole, weights = uninterrupted(**changes)
    size, accumulation = split
    parts, again = uninterrupted(
        per_device_train_batch_size=size, gradient_accumulation_steps=accumulation, **changes
    )
    losses = [[point["loss"] for point in one.history] for one in (whole, parts)]
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)
    for name, weight in weights.items():
        torch.testing.assert_close(again[name], weight, rtol=1e-2, atol=1e-4)


def test_the_best_model_is_kept_across_a_restart(tokenized: Path, tmp_path: Path, uninterrupted: Any) -> None:
    """With patience a run stops by itself; its model is that of the lowest held-out loss, restart or not."""
    # A rate this high makes the held-out loss rise again.
    changes: dict[str, Any] = {
        "learning_rate": 0.05,
        "warmup_share": 0.0,
        "lr_scheduler_type": "constant",
        "num_train_epochs": 10,
        "eval_steps": 3,
        "logging_steps": 3,
        "early_stopping_patience": 4,
        "load_best_model_at_end": True,
    }
    whole, weights = uninterrupted(**changes)
    losses = [point["eval_loss"] for point in whole.history if "eval_loss" in point]
    assert whole.global_step < 70
    assert losses.index(min(losses)) == len(losses) - 5
    assert whole.eval_after is not None
    assert whole.eval_after["loss"] == pytest.approx(min(losses), abs=1e-6)
    assert min(losses) < losses[-1]
    with pytest.raises(KeyboardInterrupt):
        run(tokenized, tmp_path, on_progress=interrupt_at(whole.global_step - 6), **changes)
    resumed, again = run(tokenized, tmp_path, resume=True, **changes)
    assert resumed.history == whole.history
    assert same(weights, again)


def test_a_run_that_resumes_is_not_measured_again(
    tokenized: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What the model was worth before is measured when the run begins, and goes with its checkpoints."""
    said = []
    for resume in (False, True):
        caplog.clear()
        with caplog.at_level(logging.INFO, "docs_mlm"):
            report, _ = run(tokenized, tmp_path, resume=resume, max_steps=4)
        assert report.eval_before is not None
        said.append((caplog.text.count("Held-out loss before"), caplog.text.count("Held-out loss after")))
    assert said == [(1, 1), (0, 1)]


def test_steps_are_those_of_the_notebook(tokenized: Path, uninterrupted: Any) -> None:
    """Steps are ⌈windows / batch⌉ an epoch, and `max_steps` cuts them."""
    assert uninterrupted()[0].global_step == 21
    assert uninterrupted(max_steps=10)[0].global_step == 10
