"""What a training leaves behind and what it tells: evaluations, checkpoints, log points, processes."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tasks.errors import DocsMlmError, UserError
from tasks.train_model.arguments import training_arguments
from tasks.train_model.everywhere import train_everywhere
from tasks.train_model.machines import processes_of
from tasks.train_model.settings import TrainSettings
from tasks.training.processes import launch as launching
from tasks.training.processes import ranks
from tests.tasks.settings.conftest import Runs
from tests.tasks.settings.staging import Staged
from tests.tasks.settings.watching import job_of, same, watched
from tests.tracks import mlflow_runs, tensorboard_scalars, wandb_points

ROUGH: dict[str, Any] = {
    "learning_rate": 0.1,
    "warmup_share": 0.0,
    "lr_scheduler_type": "constant",
    "eval_steps": 1,
}
"""A rate so high that the held-out loss rises now and then."""


def held_out(run: Any) -> list[tuple[int, float]]:
    """Step and loss of every evaluation in the curve."""
    return [(int(point["step"]), point["eval_loss"]) for point in run.history if "eval_loss" in point]


@pytest.mark.setting("train.eval_steps")
@pytest.mark.parametrize(("every", "steps"), [(0, []), (3, [3, 6, 9, 12]), (5, [5, 10, 12])])
def test_the_model_is_evaluated_every_so_many_steps(runs: Runs, every: int, steps: list[int]) -> None:
    """The curve has a held-out loss at each multiple and the end, none with 0; the weights are the same."""
    run = runs(eval_steps=every)
    assert [step for step, _ in held_out(run)] == steps
    assert run.report is not None
    assert run.report.eval_after == runs().report.eval_after
    assert same(run.weights, runs().weights)


@pytest.mark.setting("train.early_stopping_patience")
@pytest.mark.parametrize("patience", [1, 2])
def test_training_stops_when_patience_ends(runs: Runs, patience: int) -> None:
    """It stops at the first evaluation that follows the lowest one by so many, and never with 0."""
    whole = held_out(runs(**ROUGH))
    assert len(whole) == 12
    losses = [loss for _, loss in whole]
    behind = [n - losses.index(min(losses[: n + 1])) for n in range(12)]
    assert patience in behind, "the held-out loss never rises, so nothing is shown"
    run = runs(early_stopping_patience=patience, **ROUGH)
    assert held_out(run) == whole[: behind.index(patience) + 1]
    assert len(run.steps) == behind.index(patience) + 1


@pytest.mark.setting("train.load_best_model_at_end")
def test_the_best_model_is_the_result_if_asked(runs: Runs) -> None:
    """The result has the lowest held-out loss of all evaluations; otherwise it is the last one's."""
    last, best = runs(**ROUGH), runs(load_best_model_at_end=True, **ROUGH)
    losses = [loss for _, loss in held_out(last)]
    assert min(losses) < losses[-1]
    assert last.report.eval_after["loss"] == pytest.approx(losses[-1], rel=1e-6)
    assert best.report.eval_after["loss"] == pytest.approx(min(losses), rel=1e-6)
    steps = losses.index(min(losses)) + 1
    assert same(best.weights, runs(max_steps=steps, **ROUGH).weights)


class Told:
    """Takes checkpoints, and remembers their steps."""

    def __init__(self) -> None:
        self.steps: list[int] = []

    def submit(self, folder: Path, global_step: int) -> None:
        """Note a checkpoint that lies whole in `folder`."""
        assert (folder / "model.safetensors").is_file()
        self.steps.append(global_step)

    def close(self, timeout: float | None = None) -> bool:
        """Nothing is under way."""
        return True


@pytest.mark.setting("train.save_steps")
@pytest.mark.parametrize(("every", "steps"), [(4, [4, 8, 12]), (5, [5, 10, 12])])
def test_a_checkpoint_is_kept_every_so_many_steps(
    corpus: Path, tmp_path: Path, runs: Runs, every: int, steps: list[int]
) -> None:
    """Each multiple and the end are handed over; the weights are the same to the bit."""
    told = Told()
    run = watched(corpus, tmp_path, keeper=told, save_steps=every)
    assert told.steps == steps
    assert same(run.weights, runs().weights)


@pytest.mark.setting("train.save_total_limit")
@pytest.mark.parametrize(("limit", "kept"), [(1, [12]), (3, [8, 10, 12])])
def test_so_many_checkpoints_are_kept(
    corpus: Path, tmp_path: Path, runs: Runs, limit: int, kept: list[int]
) -> None:
    """The store and the work folder keep the newest, as many as asked for; the weights are the same."""
    staged = Staged(corpus, tmp_path / "staged")
    run = staged.train(save_steps=2, save_total_limit=limit)
    assert list(staged.checkpoints()) == kept
    assert same(run.weights, runs().weights)
    here = watched(corpus, tmp_path / "here", save_steps=2, save_total_limit=limit)
    found = {int(path.name.split("-")[1]) for path in (here.folder / "local").glob("checkpoint-*")}
    assert sorted(found) == kept


@pytest.mark.setting("train.resume")
def test_a_run_goes_on_from_where_it_is_told(corpus: Path, tmp_path: Path) -> None:
    """`auto` takes the newest checkpoint, a URI its own, `fresh` none; all end in the same weights."""
    staged = Staged(corpus, tmp_path)
    first = staged.train(save_steps=4, save_total_limit=10)
    assert list(staged.checkpoints()) == [4, 8, 12]
    staged.store.remove(staged.checkpoints()[12])
    for resume, steps in ((staged.checkpoints()[4], 8), ("auto", 0), ("fresh", 12)):
        run = staged.train(save_steps=4, save_total_limit=10, resume=resume)
        assert len(run.steps) == steps, resume
        assert run.report.resumed_from_step == 12 - steps
        assert same(run.weights, first.weights)


@pytest.mark.setting("train.logging_steps")
@pytest.mark.parametrize(("every", "steps"), [(1, list(range(1, 13))), (5, [5, 10, 12])])
def test_the_curve_has_a_point_every_so_many_steps(runs: Runs, every: int, steps: list[int]) -> None:
    """Each multiple and the end are points, each the mean since the one before; the weights are the same."""
    run, each = runs(logging_steps=every), runs()
    assert [point["step"] for point in run.history] == steps
    losses = [point["loss"] for point in each.history]
    means = [sum(losses[a:b]) / (b - a) for a, b in zip([0, *steps], steps, strict=False)]
    assert [point["loss"] for point in run.history] == pytest.approx(means, rel=1e-5)
    assert same(run.weights, each.weights)


READ: dict[str, Any] = {
    "tensorboard": lambda folder: tensorboard_scalars(folder, "train/loss"),
    "wandb": lambda folder: wandb_points(folder, "train/loss"),
    "mlflow": lambda folder: mlflow_runs(folder, "loss")[0][1],
}


@pytest.mark.setting("train.report_to")
@pytest.mark.parametrize("name", ["tensorboard", "wandb", "mlflow"])
def test_every_tracker_named_is_told(
    corpus: Path, tmp_path: Path, runs: Runs, quiet_trackers: None, name: str
) -> None:
    """A tracker that is named gets every log point, others get none, and the weights are the same.

    Its files lie in the work folder under the run's key, and beside the model in the store.
    """
    pytest.importorskip(name)
    staged = Staged(corpus, tmp_path)
    run = staged.train(report_to=[name])
    points = {point["step"]: pytest.approx(point["loss"], rel=1e-6) for point in runs().history}
    stored = run.folder.parent / "trackers"
    assert [path.name for path in stored.iterdir()] == [name]
    assert READ[name](staged.work_dir / "trackers" / ("1" * 32) / name) == points
    assert READ[name](stored / name) == points
    assert same(run.weights, runs().weights)
    assert "trackers" not in [path.name for path in run.folder.iterdir()]


@pytest.fixture
def launched(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The command line with which a job's processes are started; they end at once."""

    def launch(**changes: Any) -> list[str]:
        lines: list[list[str]] = []
        start = subprocess.Popen

        def instead(arguments: list[str], **options: Any) -> Any:
            lines.append(arguments)
            return start([sys.executable, "-c", "raise SystemExit(3)"], **options)

        with monkeypatch.context() as patch:
            patch.setattr(launching.subprocess, "Popen", instead)
            with pytest.raises(DocsMlmError, match="exit code 3"):
                train_everywhere(job_of(corpus, tmp_path, **changes), keeper=Told())
        (line,) = lines
        return line

    return launch


@pytest.mark.setting("train.processes")
def test_so_many_processes_are_started(launched: Any, corpus: Path, tmp_path: Path) -> None:
    """Three are launched where three are asked for; one, and 0 without a GPU, is this process."""
    line = launched(processes=3)
    assert line[line.index("--nproc-per-node") + 1] == "3"
    assert line[line.index("--nnodes") + 1] == "1"
    for number in (0, 1):
        job = job_of(corpus, tmp_path / str(number), processes=number, max_steps=1)
        report = train_everywhere(job, keeper=Told())
        assert report is not None
        assert report.global_step == 1


@pytest.mark.setting("train.processes")
@pytest.mark.parametrize(("asked", "gpus", "processes"), [(0, 0, 1), (0, 4, 4), (3, 4, 3), (2, 0, 2)])
def test_zero_processes_are_one_a_gpu(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: int, gpus: int, processes: int
) -> None:
    """As many as asked for, or one a GPU; more than there are GPUs are refused."""
    monkeypatch.setattr("tasks.train_model.machines.usable_gpus", lambda: gpus)
    assert processes_of(TrainSettings(processes=asked)) == processes
    if gpus:
        with pytest.raises(UserError, match=f"has {gpus} GPUs"):
            train_everywhere(job_of(corpus, tmp_path, processes=gpus + 1), keeper=Told())


@pytest.mark.setting("train.nodes", "train.rdzv_endpoint")
def test_machines_meet_where_they_are_told(launched: Any) -> None:
    """The launcher gets the number of machines and the place where they meet."""
    line = launched(nodes=2, rdzv_endpoint="10.0.0.7:29400")
    assert line[line.index("--nnodes") + 1] == "2"
    assert line[line.index("--rdzv-endpoint") + 1] == "10.0.0.7:29400"


@pytest.mark.setting("train.parallelism")
def test_several_processes_share_the_model_if_asked(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes shard the model with `fsdp` and copy it with `ddp`; one alone never shards."""
    # The real ones would look for the other process.
    monkeypatch.setattr(
        "tasks.train_model.arguments.TrainingArguments", lambda **options: SimpleNamespace(n_gpu=0, **options)
    )
    found = {}
    for processes in (1, 2):
        monkeypatch.setattr(ranks, "ranks", lambda processes=processes: processes)
        for parallelism in ("ddp", "fsdp"):
            job = job_of(corpus, tmp_path / f"{processes}{parallelism}", parallelism=parallelism)
            arguments = training_arguments(job, 12, 4, evaluating=False)
            found[processes, parallelism] = bool(arguments.fsdp)
    assert found == {(1, "ddp"): False, (1, "fsdp"): False, (2, "ddp"): False, (2, "fsdp"): True}
