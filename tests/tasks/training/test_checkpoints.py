"""Checkpoints in the store: on a folder, on a real S3 server, and with the faults of the way there."""

import errno
import hashlib
import itertools
import logging
import multiprocessing
import os
import random
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tasks.errors import NetworkError, StoreError
from tasks.store.folders import Store
from tasks.store.manifest import MANIFEST
from tasks.store.marker import MARKER
from tasks.training.checkpoints import CheckpointKeeper
from tests.s3_server import FaultProxy, S3Server, fault_proxy, s3_server

KILLS = 10


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A real S3 server."""
    with s3_server(tmp_path_factory.mktemp("s3") / "buckets") as running:
        yield running


@pytest.fixture
def proxy(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultProxy]:
    """A proxy before the server, which the environment points to."""
    with fault_proxy(s3) as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        yield running


@pytest.fixture(params=["file", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """An empty store, once on a folder and once on S3."""
    if request.param == "file":
        return Store(str(tmp_path / "store"))
    proxy: FaultProxy = request.getfixturevalue("proxy")
    return Store(proxy.url(os.urandom(4).hex()), patience=5)


@pytest.fixture
def keeper(store: Store, tmp_path: Path) -> Callable[..., CheckpointKeeper]:
    """Makes keepers of one training; `machine` names the folder that its spool lies in."""

    def make(machine: str = "here", *, keep: int = 2, wait: bool = False) -> CheckpointKeeper:
        return CheckpointKeeper(
            store, store.uri("checkpoints", "t1"), tmp_path / machine, keep=keep, wait=wait
        )

    return make


def expected(step: int) -> dict[str, bytes]:
    """The files of a checkpoint, so that every byte of it can be told right or wrong."""
    block = hashlib.sha256(str(step).encode()).digest()
    return {"model.safetensors": block * 30_000, "optimizer.pt": block * 60_000, "sub/rng.pth": block}


def save(folder: Path, step: int) -> Path:
    """A checkpoint as the Trainer leaves it."""
    made = folder / f"checkpoint-{step}"
    for name, content in expected(step).items():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_bytes(content)
    return made


def contents(folder: Path) -> dict[str, bytes]:
    """Every file under `folder`, by name."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def steps(store: Store) -> list[int]:
    """The steps of the complete checkpoints in the store."""
    uri = store.uri("checkpoints", "t1")
    return [int(n.split("-")[1]) for n in store.folders(uri) if store.manifest(f"{uri}/{n}") is not None]


def stored_file(store: Store, s3: S3Server, step: int, name: str) -> Path:
    """Where a file of a stored checkpoint lies on the disk of this machine."""
    protocol, _, root = store.url.partition("://")
    top = (Path(root) if protocol == "file" else s3.root / root) / "checkpoints" / "t1"
    (found,) = top.glob(f"step-{step:010d}-*/{name}")
    return found


def test_a_checkpoint_outlives_its_machine(
    store: Store, keeper: Callable[..., CheckpointKeeper], tmp_path: Path
) -> None:
    """What is submitted and then deleted by the Trainer comes back on another machine, every byte."""
    here = keeper()
    assert here.newest(tmp_path / "resumed") is None
    made = save(tmp_path, 10)
    here.submit(made, 10)
    shutil.rmtree(made)
    assert here.close()
    assert keeper("there").newest(tmp_path / "resumed") == (tmp_path / "resumed" / "checkpoint-10", 10)
    assert contents(tmp_path / "resumed" / "checkpoint-10") == expected(10)


def test_the_newest_are_kept(store: Store, keeper: Callable[..., CheckpointKeeper], tmp_path: Path) -> None:
    """Only the newest two stay, by step and not by name; the last lies in the spool too."""
    here = keeper(wait=True)
    for step in (9, 10, 500, 1000):
        here.submit(save(tmp_path, step), step)
    assert here.close()
    assert steps(store) == [500, 1000]
    assert [path.name.split("-")[1] for path in (tmp_path / "here").iterdir()] == ["0000001000"]
    here.discard()
    assert list(store.objects.entries("")) == [MARKER]
    assert not (tmp_path / "here").exists()


def test_older_ones_are_pruned_only_after_a_newer_is_complete(
    proxy: FaultProxy, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """While the store refuses the third, the first two stay; the failure is said, and the fourth arrives."""
    store = Store(proxy.url("prune"), patience=0.5)
    keeper = CheckpointKeeper(store, store.uri("checkpoints", "t1"), tmp_path / "spool", keep=2, wait=True)
    for step in (1, 2):
        keeper.submit(save(tmp_path, step), step)
    assert keeper.close()
    proxy.fault = lambda request: "500" if request.method == "PUT" else None
    keeper.submit(save(tmp_path, 3), 3)
    assert not keeper.close()
    assert steps(store) == [1, 2]
    (loud,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "Checkpoint 3 is NOT in the store" in loud.getMessage()
    proxy.fault = lambda request: None
    keeper.submit(save(tmp_path, 4), 4)
    assert keeper.close()
    assert steps(store) == [2, 4]


def test_a_store_that_is_away_for_a_while(proxy: FaultProxy, tmp_path: Path) -> None:
    """Checkpoints saved while the store refuses connections are there at the end, as if it had not."""
    store = Store(proxy.url("away"), patience=30)
    keeper = CheckpointKeeper(store, store.uri("checkpoints", "t1"), tmp_path / "spool", keep=2)
    proxy.away = True
    for step in (1, 2, 3):
        # Nothing waits for the store here: it comes back only afterwards.
        keeper.submit(save(tmp_path, step), step)
        time.sleep(0.2)
    threading.Timer(1, setattr, (proxy, "away", False)).start()
    assert keeper.close()
    assert steps(store)[-1] == 3


def test_a_damaged_one_gives_way_to_the_one_before(
    store: Store,
    keeper: Callable[..., CheckpointKeeper],
    tmp_path: Path,
    request: pytest.FixtureRequest,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A flipped bit, a cut or a missing file costs one checkpoint, which is said, as is the loss of all."""
    s3 = request.getfixturevalue("s3")
    here = keeper(keep=4, wait=True)
    for step in (1, 2, 3, 4):
        here.submit(save(tmp_path, step), step)
    assert here.close()
    optimizer = stored_file(store, s3, 4, "optimizer.pt")
    damaged = bytearray(optimizer.read_bytes())
    damaged[1000] ^= 1
    optimizer.write_bytes(damaged)
    os.truncate(stored_file(store, s3, 3, "model.safetensors"), 1000)
    stored_file(store, s3, 2, "sub/rng.pth").unlink()
    there = keeper("there", keep=2)
    assert there.newest(tmp_path / "resumed") == (tmp_path / "resumed" / "checkpoint-1", 1)
    assert contents(tmp_path / "resumed" / "checkpoint-1") == expected(1)
    told = [record.getMessage() for record in caplog.records if "damaged" in record.getMessage()]
    assert [text.split()[1] for text in told] == ["4", "3", "2"]
    stored_file(store, s3, 1, MANIFEST).write_text("{")
    with pytest.raises(StoreError, match=r"all 4 checkpoints .* --train\.resume fresh"):
        keeper("elsewhere").newest(tmp_path / "resumed")


def test_damaged_ones_do_not_push_whole_ones_out(
    store: Store, keeper: Callable[..., CheckpointKeeper], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """A run that resumed before a damaged checkpoint keeps its own lower steps, and deletes that one."""
    first = keeper(wait=True)
    for step in (500, 900):
        first.submit(save(tmp_path, step), step)
    assert first.close()
    os.truncate(stored_file(store, request.getfixturevalue("s3"), 900, "optimizer.pt"), 10)
    there = keeper("there", wait=True)
    assert there.newest(tmp_path / "resumed") == (tmp_path / "resumed" / "checkpoint-500", 500)
    there.submit(save(tmp_path, 600), 600)
    assert there.close()
    assert store.folders(store.uri("checkpoints", "t1"))[-1].startswith("step-0000000600")
    assert steps(store) == [500, 600]


def test_declined_ones_do_not_push_newer_ones_out(
    store: Store, keeper: Callable[..., CheckpointKeeper], tmp_path: Path
) -> None:
    """A run that goes on from an older checkpoint keeps its own rather than the higher steps."""
    first = keeper(wait=True)
    for step in (500, 900):
        first.submit(save(tmp_path, step), step)
    assert first.close()
    there = keeper("there", wait=True)
    for step in (600, 700):
        there.submit(save(tmp_path, step), step)
    assert there.close()
    assert steps(store) == [600, 700]


def test_this_machines_own_copy_is_used(proxy: FaultProxy, tmp_path: Path) -> None:
    """Nothing is downloaded where the spool has it; what only the spool has is uploaded after all."""
    store = Store(proxy.url("own"), patience=0.5)
    uri = store.uri("checkpoints", "t1")
    keeper = CheckpointKeeper(store, uri, tmp_path / "spool", keep=2)
    keeper.submit(save(tmp_path, 1), 1)
    assert keeper.close()
    proxy.requests.clear()
    again = CheckpointKeeper(store, uri, tmp_path / "spool", keep=2)
    assert again.newest(tmp_path / "resumed") == (tmp_path / "resumed" / "checkpoint-1", 1)
    assert contents(tmp_path / "resumed" / "checkpoint-1") == expected(1)
    assert not [r for r in proxy.requests if r.method == "GET" and "safetensors" in r.target]
    proxy.away = True
    again.submit(save(tmp_path, 2), 2)
    assert not again.close()
    with pytest.raises(NetworkError):
        again.newest(tmp_path / "resumed")
    proxy.away = False
    third = CheckpointKeeper(store, uri, tmp_path / "spool", keep=2)
    assert third.newest(tmp_path / "resumed") == (tmp_path / "resumed" / "checkpoint-2", 2)
    assert third.close()
    assert steps(store) == [1, 2]


def test_a_damaged_copy_here_is_not_used(
    store: Store, keeper: Callable[..., CheckpointKeeper], tmp_path: Path
) -> None:
    """A copy in the spool that is altered, or was never sealed by a manifest, counts for nothing."""
    here = keeper()
    here.submit(save(tmp_path, 1), 1)
    assert here.close()
    (sealed,) = (tmp_path / "here").iterdir()
    (sealed / "model.safetensors").unlink()
    (sealed / "model.safetensors").write_bytes(b"altered")
    unsealed = tmp_path / "here" / "step-0000000002-00000000"
    unsealed.mkdir()
    (unsealed / "model.safetensors").write_bytes(b"half")
    assert keeper().newest(tmp_path / "resumed") == (tmp_path / "resumed" / "checkpoint-1", 1)
    assert contents(tmp_path / "resumed" / "checkpoint-1") == expected(1)


def test_the_newest_waits_and_older_ones_give_way(proxy: FaultProxy, tmp_path: Path) -> None:
    """While one is on its way, only the newest of those behind it is sent; with `wait`, every one is."""
    for wait, arrived in ((False, [1, 4]), (True, [1, 2, 3, 4])):
        store = Store(proxy.url(f"wait{wait}"), patience=5)
        uri = store.uri("checkpoints", "t1")
        keeper = CheckpointKeeper(store, uri, tmp_path / f"spool{wait}", keep=9, wait=wait)
        proxy.delay_s_per_mb = 0.3
        for step in (1, 2, 3, 4):
            keeper.submit(save(tmp_path, step), step)
            time.sleep(0.1)
        proxy.delay_s_per_mb = 0
        assert keeper.close()
        assert steps(store) == arrived


def test_training_is_not_held_up(proxy: FaultProxy, tmp_path: Path) -> None:
    """Submitting 200 MB takes under 5 % of the time that its upload takes."""
    store = Store(proxy.url("held"), patience=5)
    keeper = CheckpointKeeper(store, store.uri("checkpoints", "t1"), tmp_path / "spool", keep=2)
    made = tmp_path / "checkpoint-1"
    made.mkdir()
    (made / "model.safetensors").write_bytes(os.urandom(1 << 20) * 67)
    (made / "optimizer.pt").write_bytes(os.urandom(1 << 20) * 133)
    began = time.monotonic()
    keeper.submit(made, 1)
    held = time.monotonic() - began
    assert keeper.close()
    assert held < 0.05 * (time.monotonic() - began)
    assert steps(store) == [1]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_what_was_not_foreseen_ends_one_upload_only(
    keeper: Callable[..., CheckpointKeeper],
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An exception of any kind in the background costs its own checkpoint; the next one is stored."""

    def crash(*_: object) -> None:
        raise RuntimeError("not foreseen")

    here = keeper()
    with monkeypatch.context() as broken:
        broken.setattr(Store, "commit", crash)
        here.submit(save(tmp_path, 1), 1)
        assert not here.close(20)
    here.submit(save(tmp_path, 2), 2)
    assert here.close(20)
    assert steps(store) == [2]


def test_a_full_disk_costs_one_checkpoint(
    keeper: Callable[..., CheckpointKeeper],
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A checkpoint that cannot be sealed for want of space is said to be lost, and the next one is stored."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    here = keeper()
    with monkeypatch.context() as broken:
        broken.setattr("tasks.training.spool.stored_files", full)
        here.submit(save(tmp_path, 1), 1)
        assert not here.close(60)
    assert "Checkpoint 1 is lost: [Errno 28] No space left on device. Training goes on." in caplog.text
    here.submit(save(tmp_path, 2), 2)
    assert here.close(60)
    assert steps(store) == [2]


def test_closing_has_an_end(proxy: FaultProxy, tmp_path: Path) -> None:
    """Close returns false when its time is over, and a restart here goes on from the sealed copy."""
    store = Store(proxy.url("close"), patience=60)
    uri = store.uri("checkpoints", "t1")
    keeper = CheckpointKeeper(store, uri, tmp_path / "spool", keep=2)
    proxy.away = True
    keeper.submit(save(tmp_path, 1), 1)
    assert not keeper.close(1)
    proxy.away = False
    again = CheckpointKeeper(store, uri, tmp_path / "spool", keep=2)
    assert again.newest(tmp_path / "resumed") == (tmp_path / "resumed" / "checkpoint-1", 1)
    assert keeper.close(20)
    assert again.close(20)


def train(url: str, environment: dict[str, str], work: Path, acknowledged: Path) -> None:
    """Resume, check what came back, and go on saving, as the Trainer does; note what is committed."""
    os.environ.update(environment)
    store = Store(url)
    keeper = CheckpointKeeper(store, store.uri("checkpoints", "t1"), work / "spool", keep=2)
    found = keeper.newest(work / "resumed")
    assert found is None or contents(found[0]) == expected(found[1])
    for step in itertools.count((found[1] if found else 0) + 1):
        keeper.submit(save(work, step), step)
        shutil.rmtree(work / f"checkpoint-{step - 1}", ignore_errors=True)
        if step % 3 == 0 and keeper.close():
            with acknowledged.open("a") as stream:
                stream.write(f"{step}\n")


def test_kill_at_any_moment(store: Store, keeper: Callable[..., CheckpointKeeper], tmp_path: Path) -> None:
    """After each SIGKILL, here or elsewhere, a whole checkpoint no older than the last sure one is found."""
    context = multiprocessing.get_context("forkserver")
    # One server forks for all tests of a session, so it gets what each of them needs.
    context.set_forkserver_preload(["tests.tasks.store.test_kill", "tests.tasks.training.test_checkpoints"])
    acknowledged = tmp_path / "acknowledged"
    acknowledged.touch()
    environment = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    for kill in range(KILLS):
        work = tmp_path / f"machine{kill // 3}"
        before = len(acknowledged.read_text().split())
        process = context.Process(target=train, args=(store.url, environment, work, acknowledged))
        process.start()
        while process.is_alive() and len(acknowledged.read_text().split()) == before:
            time.sleep(0.01)
        assert process.exitcode is None
        time.sleep(random.uniform(0, 0.2))
        process.kill()
        process.join()
        sure = max(int(step) for step in acknowledged.read_text().split())
        found = keeper(f"other{kill}").newest(tmp_path / "resumed")
        assert found is not None
        assert found[1] >= sure
        assert contents(found[0]) == expected(found[1])
