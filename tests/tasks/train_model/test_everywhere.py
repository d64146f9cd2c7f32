"""Two processes that train together are one run: the same losses, and an exact resume."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tasks.errors import UserError
from tasks.store.folders import Store
from tasks.train_model import everywhere
from tasks.train_model.everywhere import train_everywhere
from tasks.train_model.job import TrainJob, TrainReport
from tasks.train_model.settings import TrainSettings
from tasks.training import hardware
from tasks.training.checkpoints import CheckpointKeeper
from tasks.training.processes import launch as launching
from tests.tasks.train_model.conftest import TINY
from tests.tasks.train_model.test_training import BASE, Listener, interrupt_at, same

GLOBAL: dict[str, Any] = {"hidden_dropout": 0.0, "logging_steps": 1, "num_train_epochs": 2, "save_steps": 100}
SPLIT: dict[str, Any] = GLOBAL | {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 2}


def launch(
    data: Path, folder: Path, *, resume: bool = False, on_progress: Listener | None = None, **changes: Any
) -> tuple[TrainReport, dict[str, torch.Tensor]]:
    """Train in `folder` as the stage does, on as many processes as the settings say."""
    store = Store(str(folder / "store"))
    keeper = CheckpointKeeper(store, store.uri("checkpoints", "k"), folder / "spool", keep=2, wait=True)
    local = folder / "local"
    local.mkdir(parents=True, exist_ok=True)
    found = keeper.newest(local) if resume else None
    job = TrainJob(
        data=data,
        output=folder / "out",
        checkpoints=local,
        settings=TrainSettings(**(BASE | changes)),
        scratch=TINY,
        resume_from=found[0] if found else None,
    )
    job.output.mkdir(parents=True, exist_ok=True)
    try:
        report = train_everywhere(job, keeper=keeper, on_progress=on_progress)
    finally:
        keeper.close()
    assert report is not None
    return report, load_file(folder / "out" / "model" / "model.safetensors")


@pytest.fixture(scope="module")
def alone(
    tokenized: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[TrainReport, dict[str, torch.Tensor]]:
    """One process with batches of 8."""
    return launch(tokenized, tmp_path_factory.mktemp("alone"), **GLOBAL)


def test_two_processes_are_one_run(
    tokenized: Path, tmp_path: Path, alone: tuple[TrainReport, dict[str, torch.Tensor]]
) -> None:
    """2 processes × 2 windows × 2 accumulation steps give the losses of 1 × 8."""
    report, weights = launch(tokenized, tmp_path, processes=2, **SPLIT)
    expected, expected_weights = alone
    assert report.global_step == 14
    losses = [[point["loss"] for point in one.history] for one in (report, expected)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    assert report.eval_after == pytest.approx(expected.eval_after, rel=1e-3)
    assert report.eval_before == expected.eval_before
    for name, weight in expected_weights.items():
        torch.testing.assert_close(weights[name], weight, rtol=1e-2, atol=1e-4)


def test_two_processes_resume_to_the_bit(tokenized: Path, tmp_path: Path) -> None:
    """Stopped together and started again, two processes end with the weights of two never stopped."""
    # The request takes a while from the parent to the children, who take a hundred steps a second.
    settings: dict[str, Any] = SPLIT | {"processes": 2, "num_train_epochs": 30, "save_steps": 10_000}
    report, weights = launch(tokenized, tmp_path / "whole", **settings)
    with pytest.raises(KeyboardInterrupt):
        launch(tokenized, tmp_path / "stopped", on_progress=interrupt_at(4), **settings)
    resumed, again = launch(tokenized, tmp_path / "stopped", resume=True, **settings)
    assert 4 < resumed.resumed_from_step < 210 == resumed.global_step
    assert resumed.history == report.history
    assert same(weights, again)


def test_shards_are_one_run(
    tokenized: Path, tmp_path: Path, alone: tuple[TrainReport, dict[str, torch.Tensor]]
) -> None:
    """With FSDP two processes share the model out, and still give the losses of one, and a whole model."""
    report, weights = launch(tokenized, tmp_path, processes=2, parallelism="fsdp", **SPLIT)
    expected, expected_weights = alone
    losses = [[point["loss"] for point in one.history] for one in (report, expected)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    assert weights.keys() == expected_weights.keys()
    assert report.eval_after == pytest.approx(expected.eval_after, rel=1e-3)


def test_a_users_mistake_comes_through(
    tokenized: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a child finds wrong with the settings is the same clear error as alone."""
    # One child is enough to find it, and starts in half the time.
    ask = launching.command
    monkeypatch.setattr(launching, "command", lambda what, job: ask(replace(what, processes=1), job))
    small = TINY.model_copy(update={"max_position_embeddings": 8})
    monkeypatch.setattr("tests.tasks.train_model.test_everywhere.TINY", small)
    job_changes: dict[str, Any] = SPLIT | {"processes": 2}
    with pytest.raises(UserError, match="8 positions"):
        launch(tokenized, tmp_path, **job_changes)


@pytest.mark.parametrize(("gpus", "fast", "told"), [(0, True, "bf16"), (0, False, "fp32"), (2, True, "auto")])
def test_processes_share_one_precision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gpus: int, fast: bool, told: str
) -> None:
    """Children on a CPU are told what to compute in: each would time it while the others do."""
    jobs: list[TrainJob] = []
    monkeypatch.setattr(everywhere, "usable_gpus", lambda: gpus)
    monkeypatch.setattr(everywhere, "check_gpus", lambda _: None)
    monkeypatch.setattr(hardware, "fast_bf16", lambda: fast)
    monkeypatch.setattr(everywhere, "launch", lambda what, **_: jobs.append(TrainJob.load(what.job)))
    monkeypatch.setenv("OMP_NUM_THREADS", str(torch.get_num_threads()))
    settings = TrainSettings(processes=2)
    job = TrainJob(data=tmp_path, output=tmp_path, checkpoints=tmp_path, settings=settings, scratch=TINY)
    train_everywhere(job, keeper=None)  # type: ignore[arg-type] - nothing is kept
    assert [job.settings.precision for job in jobs] == [told]


def test_slow_settings_are_said_before_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """On one process or several, what is asked for is looked at once."""
    seen = []

    def stop(settings: TrainSettings, processes: int) -> None:
        seen.append((settings.precision, processes))
        raise InterruptedError

    monkeypatch.setattr(everywhere, "warn_of_slow_settings", stop)
    monkeypatch.setattr(everywhere, "check_gpus", lambda _processes: None)
    for processes in (1, 2):
        settings = TrainSettings(processes=processes, precision="bf16")
        job = TrainJob(data=Path(), output=Path(), checkpoints=Path(), settings=settings)
        with pytest.raises(InterruptedError):
            train_everywhere(job, keeper=None)  # type: ignore[arg-type]
    assert seen == [("bf16", 1), ("bf16", 2)]
