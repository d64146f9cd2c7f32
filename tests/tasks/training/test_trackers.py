"""Trackers, with their own packages: none stops to ask, and none ends or holds up a run."""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from transformers import TrainerCallback

from tasks.train_model.job import TrainJob, TrainReport
from tasks.train_model.settings import TrainSettings
from tasks.train_model.training import train
from tasks.training.trackers import keep_tracks, tracked
from tests.tasks.train_model.conftest import TINY
from tests.tracks import mlflow_runs, tensorboard_scalars, wandb_points

pytestmark = pytest.mark.usefixtures("quiet_trackers")
Run = Callable[..., TrainReport]
KEY = "a" * 40
STEPS = [1, 2, 3]


@pytest.fixture
def run(tokenized: Path, tmp_path: Path) -> Run:
    """Three steps of a tiny model with the tracker of that name, which writes into `tmp_path/name`."""

    def train_with(name: str, place: str = "tracks", **how: Any) -> TrainReport:
        for folder in (tmp_path / place / "out", tmp_path / place / "checkpoints"):
            folder.mkdir(parents=True)
        settings = {"report_to": [name], "max_steps": 3, "logging_steps": 1, "precision": "fp32"}
        job = TrainJob(
            data=tokenized,
            output=tmp_path / place / "out",
            checkpoints=tmp_path / place / "checkpoints",
            trackers=tmp_path / place / "trackers",
            settings=TrainSettings(**settings),
            scratch=TINY,
        )
        return train(job, **how)

    return train_with


@pytest.fixture
def silent_server() -> Iterator[str]:
    """A server that takes every connection and never answers, as a firewall may."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        held: list[socket.socket] = []

        def accept() -> None:
            with suppress(OSError):
                while True:
                    held.append(server.accept()[0])

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        for connection in held:
            connection.close()


def nobody() -> str:
    """A URL at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the log warns of."""
    own = [record for record in caplog.records if record.name.startswith(("docs_mlm", "prefect"))]
    return [record.getMessage() for record in own if record.levelno >= logging.WARNING]


def test_wandb_without_a_key_stays_offline(
    run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Without a key the run is written into its folder, without a question or a warning."""
    pytest.importorskip("wandb")
    run("wandb")
    assert list(wandb_points(tmp_path / "tracks" / "trackers" / "wandb", "train/loss")) == STEPS
    assert warnings(caplog) == []


@pytest.mark.parametrize("answer", ["refuses", "hangs"])
def test_wandb_without_a_network_goes_offline(
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    silent_server: str,
    answer: str,
) -> None:
    """With a key but no answer within the patience, the run is written into its folder, with a warning."""
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setenv("WANDB_BASE_URL", nobody() if answer == "refuses" else silent_server)
    started = time.monotonic()
    run("wandb")
    assert time.monotonic() - started < 60
    assert list(wandb_points(tmp_path / "tracks" / "trackers" / "wandb", "train/loss")) == STEPS
    (warning,) = warnings(caplog)
    assert "Weights & Biases cannot be reached" in warning
    assert KEY not in caplog.text


def test_mlflow_writes_a_file(run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Where no server is named, each training has an SQLite file of its own, which knows how it ended."""
    pytest.importorskip("mlflow")

    def stop(point: dict[str, Any]) -> None:
        if point["step"] == 2:
            raise KeyboardInterrupt

    run("mlflow", "whole")
    with pytest.raises(KeyboardInterrupt):
        run("mlflow", "stopped", on_progress=stop)
    for place, state, steps in (("whole", "FINISHED", STEPS), ("stopped", "FAILED", [1])):
        ((ended, points),) = mlflow_runs(tmp_path / place / "trackers" / "mlflow", "loss")
        assert (ended, list(points)) == (state, steps)
    assert "MLFLOW_TRACKING_URI" not in os.environ
    assert warnings(caplog) == []


def test_mlflow_without_its_server_writes_a_file(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where its server is away, the run is written into a file with a warning that tells no password."""
    pytest.importorskip("mlflow")
    url = nobody().replace("//", "//user:hush@")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", url)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "docs")
    run("mlflow")
    ((state, points),) = mlflow_runs(tmp_path / "tracks" / "trackers" / "mlflow", "loss")
    assert (state, list(points)) == ("FINISHED", STEPS)
    (warning,) = warnings(caplog)
    assert "MLflow's server cannot be used" in warning
    assert "hush" not in warning
    assert os.environ["MLFLOW_TRACKING_URI"] == url


def test_a_tracker_that_cannot_start_is_left_out(
    run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A file where TensorBoard's folder should be costs a warning, and not the run."""
    pytest.importorskip("tensorboard")
    (tmp_path / "tracks").mkdir()
    (tmp_path / "tracks" / "trackers").write_text("")
    assert run("tensorboard").global_step == 3
    (warning,) = warnings(caplog)
    assert "Tracker tensorboard failed" in warning


def test_a_tracker_that_fails_on_the_way_is_left_out(
    run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What a tracker raises in the middle of a run costs one warning; what it was told before is kept."""
    wandb = pytest.importorskip("wandb")

    def end_it(point: dict[str, Any]) -> None:
        if point["step"] == 2:
            wandb.finish()

    assert run("wandb", on_progress=end_it).global_step == 3
    assert list(wandb_points(tmp_path / "tracks" / "trackers" / "wandb", "train/loss")) == [1]
    (warning,) = warnings(caplog)
    assert "Tracker wandb failed" in warning


def test_only_the_first_process_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of several processes the others have no trackers."""
    pytest.importorskip("tensorboard")
    monkeypatch.setenv("RANK", "1")
    with tracked(["tensorboard"], tmp_path / "trackers") as callbacks:
        assert callbacks == list[TrainerCallback]()
    assert not (tmp_path / "trackers").exists()


def test_what_trackers_wrote_is_copied(run: Run, tmp_path: Path) -> None:
    """A result gets the files that tell of the run, nothing that W&B notes of itself, and no links."""
    pytest.importorskip("wandb")
    run("wandb")
    keep_tracks(tmp_path / "tracks" / "trackers", tmp_path / "result")
    found = list((tmp_path / "result").rglob("*"))
    assert not any(path.is_symlink() or path.name.startswith("debug") for path in found)
    assert list(wandb_points(tmp_path / "result" / "trackers" / "wandb", "train/loss")) == STEPS


def test_no_tracker_leaves_no_file(tmp_path: Path) -> None:
    """Without a tracker there is nothing to copy, and the result has no folder for it."""
    keep_tracks(tmp_path / "trackers", tmp_path / "result")
    assert not (tmp_path / "result").exists()


def test_tensorboard_reads_its_files(run: Run, tmp_path: Path) -> None:
    """TensorBoard's own reader finds every log point in the event files."""
    pytest.importorskip("tensorboard")
    run("tensorboard")
    found = tensorboard_scalars(tmp_path / "tracks" / "trackers" / "tensorboard", "train/loss")
    assert list(found) == STEPS
