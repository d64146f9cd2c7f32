"""The stage as several machines run it."""

from pathlib import Path

import pytest

from tasks.records import TrainedModel
from tasks.stage.target import Target
from tasks.store.folders import Store
from tasks.store.manifest import Manifest
from tasks.train_model.stage import wait_for_first


@pytest.fixture
def target(tmp_path: Path) -> Target:
    """A training to run, in a store of its own."""
    store = Store(str(tmp_path / "store"))
    return Target(
        stage="training",
        key="k",
        uri=store.uri("training", "k"),
        action="run",
        why="new",
        store_url=store.url,
        work_dir=str(tmp_path / "work"),
    )


def test_other_machines_take_what_the_first_commits(target: Target, tmp_path: Path) -> None:
    """A machine that is not the first returns the record that the first one has committed."""
    record = TrainedModel(
        uri=target.uri,
        key="k",
        global_step=3,
        resumed_from_step=0,
        tokens_per_second=1.0,
        loss=2.0,
        eval_before=None,
        eval_after=None,
        device="cpu",
        history=[],
        fill_samples=[],
    )
    folder = tmp_path / "result"
    folder.mkdir()
    (folder / "history.json").write_text("[]")
    target.store.commit(folder, target.uri, Manifest(stage="training", key="k", record=record.as_json()))
    assert wait_for_first(target) == record
