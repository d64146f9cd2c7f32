"""Which checkpoint a run goes on from, by its `resume` setting."""

from pathlib import Path

import pytest

from tasks.errors import UserError
from tasks.records import TrainedModel
from tasks.stage.target import Target
from tasks.store.folders import Store
from tasks.store.manifest import Manifest
from tasks.train_model.stage import wait_for_first
from tasks.training.checkpoints import CheckpointKeeper, find_checkpoint


@pytest.fixture
def step(tmp_path: Path) -> Target:
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


@pytest.fixture
def keeper(step: Target, tmp_path: Path) -> CheckpointKeeper:
    """A keeper with the checkpoints of steps 4 and 8."""
    keeper = CheckpointKeeper(
        step.store, step.store.uri("checkpoints", "k"), tmp_path / "work" / "spool", keep=2, wait=True
    )
    for number in (4, 8):
        folder = tmp_path / f"checkpoint-{number}"
        folder.mkdir()
        (folder / "trainer_state.json").write_text(str(number))
        keeper.submit(folder, number)
    keeper.close()
    return keeper


def test_auto_takes_the_newest(step: Target, keeper: CheckpointKeeper, tmp_path: Path) -> None:
    """`auto` goes on from the newest whole checkpoint."""
    found = find_checkpoint(step, keeper, "auto", tmp_path / "local")
    assert found == tmp_path / "local" / "checkpoint-8"
    assert (found / "trainer_state.json").read_text() == "8"


def test_auto_begins_where_there_is_none(step: Target, tmp_path: Path) -> None:
    """`auto` without any checkpoint begins."""
    keeper = CheckpointKeeper(step.store, step.store.uri("checkpoints", "k"), tmp_path / "spool", keep=2)
    assert find_checkpoint(step, keeper, "auto", tmp_path / "local") is None


def test_fresh_begins_and_forgets(step: Target, keeper: CheckpointKeeper, tmp_path: Path) -> None:
    """`fresh` begins, and the old checkpoints cannot come back later."""
    assert find_checkpoint(step, keeper, "fresh", tmp_path / "local") is None
    assert find_checkpoint(step, keeper, "auto", tmp_path / "local") is None


def test_a_uri_takes_that_one(step: Target, keeper: CheckpointKeeper, tmp_path: Path) -> None:
    """The URI of an older checkpoint takes that one."""
    uri = step.store.uri("checkpoints", "k")
    older = next(name for name in step.store.folders(uri) if name.startswith("step-0000000004"))
    found = find_checkpoint(step, keeper, f"{uri}/{older}/", tmp_path / "local")
    assert found == tmp_path / "local" / "checkpoint-4"
    assert (found / "trainer_state.json").read_text() == "4"


@pytest.mark.parametrize("wrong", ["newest", "step-0000000004-00000000"])
def test_a_checkpoint_that_is_not_there_is_told(
    step: Target, keeper: CheckpointKeeper, tmp_path: Path, wrong: str
) -> None:
    """A URI that leads to no whole checkpoint is a user's mistake, with the ways out."""
    with pytest.raises(UserError, match=r"no whole checkpoint of this store: give auto, fresh, or .*step-"):
        find_checkpoint(step, keeper, step.store.uri("checkpoints", "k", wrong), tmp_path / "local")


def test_other_machines_take_what_the_first_commits(step: Target, tmp_path: Path) -> None:
    """A machine that is not the first returns the record that the first one has committed."""
    record = TrainedModel(
        uri=step.uri,
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
    step.store.commit(folder, step.uri, Manifest(stage="training", key="k", record=record.as_json()))
    assert wait_for_first(step) == record
