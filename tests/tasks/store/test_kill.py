"""A writer that is killed at random moments never leaves a torn thing, nor loses an acknowledged one."""

import hashlib
import itertools
import multiprocessing
import os
import random
import time
from pathlib import Path

from tasks.store.care import sweep
from tasks.store.folders import Store
from tasks.store.manifest import MANIFEST
from tasks.store.marker import MARKER
from tests.tasks.store.conftest import contents, manifest_for

KILLS = 10


def expected(key: str) -> dict[str, bytes]:
    """What is stored under a key, so that every byte can be told right or wrong."""
    blocks = {name: hashlib.sha256(f"{key}/{name}".encode()).digest() for name in ("a", "sub/b", "c")}
    return {name: block * size for (name, block), size in zip(blocks.items(), (1, 900, 60_000), strict=True)}


def write(url: str, environment: dict[str, str], work: Path, acknowledged: Path) -> None:
    """Commit one folder after another, and note each once its commit has returned."""
    os.environ.update(environment)
    store = Store(url)
    done = len(acknowledged.read_text().split())
    for number in itertools.count(done):
        made, key = work / f"{os.getpid()}-{number}", f"{number:032x}"
        for name, content in expected(key).items():
            (made / name).parent.mkdir(parents=True, exist_ok=True)
            (made / name).write_bytes(content)
        store.commit(made, store.uri("corpus", key), manifest_for(key))
        with acknowledged.open("a") as stream:
            stream.write(f"{key}\n")


def test_kill_at_any_moment(store: Store, tmp_path: Path) -> None:
    """After each SIGKILL, what is acknowledged is there, what is there is whole, and sweep takes the rest."""
    context = multiprocessing.get_context("forkserver")
    # One server forks for all tests of a session, so it gets what each of them needs.
    context.set_forkserver_preload(["tests.tasks.store.test_kill", "tests.tasks.training.test_checkpoints"])
    acknowledged = tmp_path / "acknowledged"
    acknowledged.touch()
    environment = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    for round_ in range(KILLS):
        work = tmp_path / f"work{round_}"
        writer = context.Process(target=write, args=(store.url, environment, work, acknowledged))
        count = len(acknowledged.read_text().split())
        writer.start()
        while writer.is_alive() and len(acknowledged.read_text().split()) == count:
            time.sleep(0.02)  # let it commit one, then kill it in the middle of another
        time.sleep(random.uniform(0, 0.15))
        writer.kill()
        writer.join()
    keys = acknowledged.read_text().split()
    assert len(keys) >= KILLS
    whole = [key for key in store.folders(store.uri("corpus")) if store.manifest(store.uri("corpus", key))]
    assert set(keys) <= set(whole)
    for key in whole:
        copy = store.fetch(store.uri("corpus", key), tmp_path / "copies" / key)
        assert contents(copy) == expected(key)
    sweep(store, older_than=0)
    left = set(store.objects.entries(""))
    assert left - {MARKER} == {f"corpus/{key}/{name}" for key in whole for name in (*expected(key), MANIFEST)}
