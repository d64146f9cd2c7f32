"""What trackers have written, read back with their packages, and an environment that says nothing of them."""

import json
import os
import struct
from pathlib import Path

import pytest

from tasks.training.trackers import ENVIRONMENT

BLOCK = 32768
"""Bytes of a block of W&B's log, which is LevelDB's; a record's head is 7 bytes and lies in one block."""


@pytest.fixture
def quiet_trackers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user who has told no tracker anything, and little patience; it is put back what a run sets."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for name in {*os.environ, *ENVIRONMENT, "MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID"}:
        if name.startswith(("WANDB_", "MLFLOW_", "TENSORBOARD_")):
            monkeypatch.setenv(name, "")
            monkeypatch.delenv(name)
    monkeypatch.setitem(ENVIRONMENT, "WANDB_INIT_TIMEOUT", str(int(ENVIRONMENT["WANDB_INIT_TIMEOUT"]) // 5))


def tensorboard_scalars(folder: Path, name: str) -> dict[int, float]:
    """The values of `name` by step, in the event files of a folder."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return {event.step: event.value for event in events.Scalars(name)}


def mlflow_runs(folder: Path, name: str) -> list[tuple[str, dict[int, float]]]:
    """State and values of `name` by step, of each run in the SQLite file of a folder."""
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    experiments = [one.experiment_id for one in client.search_experiments()]
    runs = [run.info for run in client.search_runs(experiments, order_by=["attributes.start_time ASC"])]
    return [
        (run.status, {point.step: point.value for point in client.get_metric_history(run.run_id, name)})
        for run in runs
    ]


def wandb_points(folder: Path, name: str) -> dict[int, float]:
    """The values of `name` by step, in the one offline run of a folder."""
    from wandb.proto.wandb_internal_pb2 import Record

    (log,) = folder.glob("offline-run-*/run-*.wandb")
    data, found = log.read_bytes(), {}
    whole, at = b"", 7
    while at + 7 <= len(data):
        if BLOCK - at % BLOCK < 7:
            at += BLOCK - at % BLOCK
            continue
        _, length, kind = struct.unpack("<IHB", data[at : at + 7])
        whole += data[at + 7 : at + 7 + length]
        at += 7 + length
        # Whole, or the last part of several.
        if kind in (1, 4):
            items = Record.FromString(whole).history.item
            whole = b""
            values = {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items}
            if name in values:
                found[int(values["train/global_step"])] = values[name]
    return found
