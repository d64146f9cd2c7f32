"""Two runs at once on one key: one works, the other waits, and a dead holder holds nobody up."""

import json
import multiprocessing
import threading
import time
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from tasks.errors import StoreError
from tasks.store import lease as lease_module
from tasks.store.folders import Store
from tests.waiting import until


def test_one_works_and_the_other_waits(store: Store) -> None:
    """Of several at once only one holds the lease at a time, and each gets it in the end."""
    uri, inside, most = store.uri("corpus", "k1"), [], []

    def work() -> None:
        with store.lease(uri):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.1)
            inside.pop()

    runs = [threading.Thread(target=work) for _ in range(3)]
    for index, run in enumerate(runs):
        run.start()
        if store.protocol == "s3" and index == 0:
            time.sleep(1.5)  # without conditional writes, runs that begin together may both get it
    for run in runs:
        run.join()
    assert len(most) == 3
    if store.protocol == "file":
        assert most == [1, 1, 1]
    assert store.objects.entries("corpus") == {}


def test_waiting_has_an_end(store: Store) -> None:
    """A run that does not want to wait for ever gets an error that names what is held."""
    uri = store.uri("corpus", "k1")
    with store.lease(uri), pytest.raises(StoreError, match="corpus/k1"), store.lease(uri, timeout=0):
        pass
    with store.lease(uri, timeout=0):
        pass


def hold(url: str, held: Event) -> None:
    """Take a lease and never give it back."""
    store = Store(url)
    with store.lease(store.uri("corpus", "k1")):
        held.set()
        time.sleep(600)


def test_a_killed_holder_is_seen_at_once(tmp_path: Path) -> None:
    """After kill -9 of the holder, another run on the same machine need not wait for the expiry."""
    context = multiprocessing.get_context("spawn")
    store, held = Store(str(tmp_path / "store")), context.Event()
    holder = context.Process(target=hold, args=(store.url, held))
    holder.start()
    assert held.wait()
    with pytest.raises(StoreError), store.lease(store.uri("corpus", "k1"), timeout=0):
        pass
    holder.kill()
    holder.join()
    began = time.monotonic()
    with store.lease(store.uri("corpus", "k1"), timeout=5):
        assert time.monotonic() - began < 5


def test_a_lease_of_another_machine_runs_out(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A holder elsewhere keeps its lease while it renews it, and loses it a while after it stops."""
    monkeypatch.setattr(lease_module, "TTL", 1.6)
    uri = store.uri("corpus", "k1")
    with store.lease(uri):
        with monkeypatch.context() as elsewhere:
            elsewhere.setattr(lease_module, "_machine", lambda: "another machine")
            time.sleep(2.2)
            with pytest.raises(StoreError), store.lease(uri, timeout=0):
                pass
        left = store.objects.read("corpus/k1.lease")
    store.objects.write("corpus/k1.lease", left)
    monkeypatch.setattr(lease_module, "_machine", lambda: "another machine")
    began = time.monotonic()
    with store.lease(uri, timeout=10):
        assert time.monotonic() - began > 0.5


def test_of_two_that_find_a_dead_holder_one_gets_it(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two runs that write over the same expired lease at once do not both take it for theirs."""
    uri, inside, most = store.uri("corpus", "k1"), [], []
    store.objects.write("corpus/k1.lease", b'{"expires": 0}')
    write, first, together = store.objects.write, {"a", "b"}, threading.Barrier(2)

    def at_once(path: str, content: bytes, *, only_new: bool = False) -> None:
        if (name := threading.current_thread().name) in first:
            first.discard(name)
            together.wait()
        write(path, content, only_new=only_new)

    monkeypatch.setattr(store.objects, "write", at_once)

    def work() -> None:
        with store.lease(uri):
            inside.append(1)
            most.append(len(inside))
            time.sleep(1)
            inside.pop()

    runs = [threading.Thread(target=work, name=name) for name in ("a", "b")]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert most == [1, 1]


def test_a_lease_that_was_taken_over_is_left_alone(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A holder that comes back to life neither renews nor deletes the lease that is another's by now."""
    monkeypatch.setattr(lease_module, "TTL", 1.0)
    other = {"machine": "another machine", "pid": 1, "id": "other", "expires": time.time() + 600}
    with store.lease(store.uri("corpus", "k1")):
        store.objects.write("corpus/k1.lease", json.dumps(other).encode())
        until(lambda: "Another run took over" in caplog.text)
    assert json.loads(store.objects.read("corpus/k1.lease")) == other
