"""Which checkpoint a run goes on from, by its `resume` setting."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tasks.errors import UserError
from tasks.stage.target import Target
from tasks.store.folders import Store
from tasks.training.checkpoints import CheckpointKeeper
from tasks.training.resuming import find_checkpoint, first_step


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


@pytest.fixture
def keeper(target: Target, tmp_path: Path) -> CheckpointKeeper:
    """A keeper with the checkpoints of steps 4 and 8."""
    keeper = CheckpointKeeper(
        target.store, target.store.uri("checkpoints", "k"), tmp_path / "work" / "spool", keep=2, wait=True
    )
    for number in (4, 8):
        folder = tmp_path / f"checkpoint-{number}"
        folder.mkdir()
        (folder / "trainer_state.json").write_text(str(number))
        keeper.submit(folder, number)
    keeper.close()
    return keeper


def test_auto_takes_the_newest(target: Target, keeper: CheckpointKeeper, tmp_path: Path) -> None:
    """`auto` goes on from the newest whole checkpoint."""
    found = find_checkpoint(target, keeper, "auto", tmp_path / "local")
    assert found == tmp_path / "local" / "checkpoint-8"
    assert (found / "trainer_state.json").read_text() == "8"


def test_auto_begins_where_there_is_none(target: Target, tmp_path: Path) -> None:
    """`auto` without any checkpoint begins."""
    keeper = CheckpointKeeper(target.store, target.store.uri("checkpoints", "k"), tmp_path / "spool", keep=2)
    assert find_checkpoint(target, keeper, "auto", tmp_path / "local") is None


def test_fresh_begins_and_forgets(target: Target, keeper: CheckpointKeeper, tmp_path: Path) -> None:
    """`fresh` begins, and the old checkpoints cannot come back later."""
    assert find_checkpoint(target, keeper, "fresh", tmp_path / "local") is None
    assert find_checkpoint(target, keeper, "auto", tmp_path / "local") is None


def test_a_uri_takes_that_one(target: Target, keeper: CheckpointKeeper, tmp_path: Path) -> None:
    """The URI of an older checkpoint takes that one."""
    uri = target.store.uri("checkpoints", "k")
    older = next(name for name in target.store.folders(uri) if name.startswith("step-0000000004"))
    found = find_checkpoint(target, keeper, f"{uri}/{older}/", tmp_path / "local")
    assert found == tmp_path / "local" / "checkpoint-4"
    assert (found / "trainer_state.json").read_text() == "4"


def harm_none(store: Path, spool: Path) -> None:
    """Leave all as it is."""


def lose_spool(store: Path, spool: Path) -> None:
    """Another machine."""
    shutil.rmtree(spool)


def lose_stored(store: Path, spool: Path) -> None:
    """What was never uploaded."""
    shutil.rmtree(store / "checkpoints")


def lose_newest_manifest(store: Path, spool: Path) -> None:
    """What was cut off while it was uploaded, on another machine."""
    shutil.rmtree(spool)
    newest = max((store / "checkpoints" / "k").glob("step-*"))
    (newest / "manifest.json").unlink()


def shorten_newest(store: Path, spool: Path) -> None:
    """A damaged one, here and there."""
    for place in (store / "checkpoints" / "k", spool):
        (max(place.glob("step-*")) / "trainer_state.json").write_text("")


def lose_all(store: Path, spool: Path) -> None:
    """Nothing is left."""
    shutil.rmtree(store / "checkpoints")
    shutil.rmtree(spool)


@pytest.mark.parametrize(
    ("harm", "step"),
    [(harm_none, 8), (lose_spool, 8), (lose_stored, 8), (lose_newest_manifest, 4), (shorten_newest, 4),
     (lose_all, 0)],
)  # fmt: skip
def test_the_step_is_known_before(
    target: Target, keeper: CheckpointKeeper, tmp_path: Path, harm: Callable[[Path, Path], None], step: int
) -> None:
    """The step that is told without fetching anything is that of the checkpoint which is then taken."""
    harm(tmp_path / "store", tmp_path / "work" / "spool")
    before = sorted(tmp_path.rglob("*"))
    again = CheckpointKeeper(
        target.store, target.store.uri("checkpoints", "k"), tmp_path / "work" / "spool", keep=2
    )
    assert first_step(target, again, "auto") == step
    assert sorted(tmp_path.rglob("*")) == before
    found = find_checkpoint(target, again, "auto", tmp_path / "local")
    assert (found is None, found and found.name) == (step == 0, (step and f"checkpoint-{step}") or None)
    again.close()


def test_the_step_of_a_uri_is_known_before(target: Target, keeper: CheckpointKeeper) -> None:
    """A checkpoint that is named is looked at, and refused, as early as that."""
    uri = target.store.uri("checkpoints", "k")
    older = next(name for name in target.store.folders(uri) if name.startswith("step-0000000004"))
    assert first_step(target, keeper, f"{uri}/{older}/") == 4
    with pytest.raises(UserError, match="no whole checkpoint of this store"):
        first_step(target, keeper, f"{uri}/step-0000000004-00000000")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [("newest", "no checkpoint's URI"), ("step-0000000004-00000000", "no whole checkpoint of this store")],
)
def test_a_checkpoint_that_is_not_there_is_told(
    target: Target, keeper: CheckpointKeeper, tmp_path: Path, wrong: str, said: str
) -> None:
    """A URI that leads to no whole checkpoint is a user's mistake, with the ways out."""
    with pytest.raises(UserError, match=rf"{said}: give auto, fresh, or .*/checkpoints/k/step-"):
        find_checkpoint(target, keeper, target.store.uri("checkpoints", "k", wrong), tmp_path / "local")


def newest(store: Store) -> str:
    """The name of the newest checkpoint of run `k`."""
    return store.folders(store.uri("checkpoints", "k"))[-1]


@pytest.mark.parametrize("slashes", ["", "/", "//"])
def test_another_runs_checkpoint_is_refused(
    target: Target, keeper: CheckpointKeeper, tmp_path: Path, slashes: str
) -> None:
    """Its weights would be published as this run's: it is told whose it is, and what to do."""
    other = replace(target, key="k2", uri=target.store.uri("training", "k2"))
    uri = target.store.uri("checkpoints", "k", newest(target.store))
    with pytest.raises(UserError, match=r"of the run k, but this run is k2.*give auto, fresh, or .*/k2/step"):
        find_checkpoint(other, keeper, uri + slashes, tmp_path / "local")
    assert not (tmp_path / "local").exists()


def test_a_checkpoint_that_was_copied_under_this_run_is_refused(
    target: Target, keeper: CheckpointKeeper, tmp_path: Path
) -> None:
    """Its manifest still says whose it is."""
    name = newest(target.store)
    checkpoints = tmp_path / "store" / "checkpoints"
    shutil.copytree(checkpoints / "k" / name, checkpoints / "k2" / name)
    other = replace(target, key="k2", uri=target.store.uri("training", "k2"))
    with pytest.raises(UserError, match=rf"belongs to checkpoints/k/{name}.*: give auto, fresh, or"):
        find_checkpoint(other, keeper, target.store.uri("checkpoints", "k2", name), tmp_path / "local")


def test_a_store_that_was_copied_has_its_own_checkpoints(
    target: Target, keeper: CheckpointKeeper, tmp_path: Path
) -> None:
    """A run on the copy takes the copy's checkpoint, and not that of the store it was copied from."""
    shutil.copytree(tmp_path / "store", tmp_path / "copy")
    copy = replace(target, store_url=Store(str(tmp_path / "copy")).url)
    name = newest(target.store)
    found = find_checkpoint(copy, keeper, copy.store.uri("checkpoints", "k", name), tmp_path / "local")
    assert found == tmp_path / "local" / "checkpoint-8"
    with pytest.raises(UserError, match=r"is not in this run's store file:.*/copy: give"):
        find_checkpoint(copy, keeper, target.store.uri("checkpoints", "k", name), tmp_path / "local")


PARTS = st.sampled_from(
    [
        "checkpoints",
        "training",
        "models",
        "k",
        "k2",
        "K",
        "..",
        ".",
        "",
        "step-0000000008-{hash}",
        "step-8",
        "%6b",
    ]
)
STORES = st.sampled_from(
    ["{store}", "{store}x", "{store}/..", "{path}", "s3://bucket/prefix", "https://host", ""]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)
@given(store=STORES, parts=st.lists(PARTS, max_size=4), slashes=st.integers(0, 2))
@example("{store}", ["checkpoints", "k", "step-0000000008-{hash}"], 1)
def test_no_other_uri_is_taken(
    target: Target, keeper: CheckpointKeeper, tmp_path: Path, store: str, parts: list[str], slashes: int
) -> None:
    """Of all URIs that look like it only the checkpoint's own is gone on from; others are told by name."""
    name = newest(target.store)
    uri = "/".join((store, *parts)).format(
        store=target.store.url, path=tmp_path / "store", hash=name.rsplit("-", 1)[-1]
    )
    if uri.rstrip("/") == target.store.uri("checkpoints", "k", name):
        assert find_checkpoint(target, keeper, uri + "/" * slashes, tmp_path / "local") is not None
        return
    with pytest.raises(UserError, match=r"train\.resume") as told:
        find_checkpoint(target, keeper, uri + "/" * slashes, tmp_path / "local")
    assert repr(uri.rstrip("/"))[1:-1] in str(told.value)
