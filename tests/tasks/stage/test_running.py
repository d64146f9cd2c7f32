"""A stage is reused when the plan says so, retried on network faults only, and leaves no scratch behind."""

import logging
import multiprocessing
import os
import time
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from prefect import flow

from tasks.errors import AwayStoreError, NetworkError, UserError
from tasks.records import Corpus, DocsSnapshot, PublishedModel
from tasks.stage.stage import stage
from tasks.stage.target import Target
from tasks.store.folders import Store
from tests.flows.conftest import s3, server_url  # noqa: F401 - fixtures
from tests.soak import environment_of

CALLS: list[str] = []


@stage(PublishedModel, version=1)
def unsteady(target: Target, failures: int) -> PublishedModel:
    """Build a result after some network faults."""
    CALLS.append("built")
    if len(CALLS) <= failures:
        raise NetworkError("the line broke")
    with target.building() as folder:
        (folder / "a.txt").write_text("a")
        return target.commit(folder, PublishedModel, {"version": "1"})


@stage(PublishedModel, version=1)
def mistaken(target: Target) -> PublishedModel:
    """Fail for good."""
    CALLS.append("called")
    raise UserError("max_seq_length is 9: choose 8 or less")


@stage(PublishedModel, version=1)
def without_store(target: Target) -> PublishedModel:
    """Find no store."""
    CALLS.append("called")
    raise AwayStoreError("the store does not answer")


@pytest.fixture
def target(tmp_path):
    """What is to be made."""
    CALLS.clear()
    store = Store(str(tmp_path / "store"))
    key = "a" * 32
    return Target(
        stage="models",
        key=key,
        uri=store.uri("models", key),
        action="run",
        why="",
        store_url=store.url,
        work_dir=str(tmp_path / "work"),
    )


def in_flow(function):
    """Call a function inside a flow run."""
    return flow(name="test")(function)()


def test_a_network_fault_is_retried_and_the_result_committed(target, prefect_server, tmp_path):
    """The second attempt succeeds, and its scratch folder is gone."""
    record = in_flow(lambda: unsteady(target, 1))
    assert len(CALLS) == 2
    assert target.store.manifest(record.uri).record["version"] == "1"
    assert list((tmp_path / "work" / "building").iterdir()) == []
    assert target.seconds["models"] > 0


def test_a_users_mistake_is_not_retried(target, prefect_server, caplog):
    """One call, the same error out, and no traceback in the run's log."""
    with caplog.at_level(logging.DEBUG), pytest.raises(UserError, match="choose 8 or less"):
        in_flow(lambda: mistaken(target))
    assert CALLS == ["called"]
    assert "Traceback" not in caplog.text


def test_a_store_that_stayed_away_is_not_tried_again(target, prefect_server):
    """The store's requests have their own time to be tried again, which no stage multiplies."""
    with pytest.raises(AwayStoreError):
        in_flow(lambda: without_store(target))
    assert CALLS == ["called"]


def test_a_reused_step_builds_nothing(target, prefect_server):
    """The record comes from the plan."""
    stored = PublishedModel(uri=target.uri, key=target.key, version="7")
    reuse = Target(
        **{**{n: getattr(target, n) for n in target.__slots__}, "action": "reuse", "record": stored.as_json()}
    )
    assert in_flow(lambda: unsteady(reuse, 0)) == stored
    assert CALLS == []
    assert reuse.seconds == {}


def test_the_chain_of_ancestors_stays_whole(target, tmp_path):
    """A result's manifest holds its parents' records and those of their parents."""
    grandparent = DocsSnapshot(
        uri=target.store.uri("documents", "d" * 32), key="d" * 32, source="s", commit_sha="c", found=1,
        read=1, bytes_read=1, licenses=[],
    )  # fmt: skip
    counts = {"found": 1, "kept": 1, "dropped_by_reason": {}, "characters": 1, "eval_documents": 0}
    above = Target(
        stage="corpus", key="c" * 32, uri=target.store.uri("corpus", "c" * 32), action="run", why="",
        store_url=target.store_url, work_dir=target.work_dir,
    )  # fmt: skip
    with above.building() as folder:
        parent = above.commit(folder, Corpus, counts, of=[grandparent])
    with target.building() as folder:
        target.commit(folder, PublishedModel, {"version": "m"}, of=[parent])
    ancestors = target.store.manifest(target.uri).ancestors
    keys = {name: record["key"][0] for name, record in ancestors.items()}
    assert keys == {"documents": "d", "corpus": "c"}


@stage(PublishedModel, version=1)
def slow(target: Target, trace: Path) -> PublishedModel:
    """Build a result for two seconds, and say so."""
    (trace / str(os.getpid())).touch()
    time.sleep(2)
    with target.building() as folder:
        (folder / "a.txt").write_text("a")
        return target.commit(folder, PublishedModel, {"version": str(os.getpid())})


def run_slow(target: Target, trace: Path, start: Barrier, wait_s: float) -> None:
    """Run the stage in a process of its own, and leave the version that it got, and whether it made it."""
    start.wait()
    time.sleep(wait_s)
    version = in_flow(lambda: slow(target, trace)).version
    (trace / f"{os.getpid()}.version").write_text(version)
    (trace / f"{os.getpid()}.{'made' if target.seconds else 'reused'}").touch()


@pytest.mark.parametrize("kind", ["file", "s3"])
def test_two_runs_at_once_do_the_work_once(kind, target, s3, server_url, tmp_path, monkeypatch):  # noqa: F811
    """Of two processes on one key one builds; the other waits, and gets the first one's result."""
    if kind == "s3":
        url = s3.url("two-runs")
        values = {n: getattr(target, n) for n in target.__slots__}
        target = Target(**values | {"store_url": url, "uri": f"{url}/models/{target.key}"})
    trace = tmp_path / "trace"
    trace.mkdir()
    monkeypatch.setenv("PREFECT_API_URL", server_url)
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(2)
    with environment_of(s3):
        # This S3 server has no conditional writes: there, two that begin in the same instant may both get it.
        waits = (0, 1.2 if kind == "s3" else 0)
        runs = [context.Process(target=run_slow, args=(target, trace, start, wait)) for wait in waits]
        for run in runs:
            run.start()
        for run in runs:
            run.join()
        assert [run.exitcode for run in runs] == [0, 0]
        (builder,) = [path.name for path in trace.iterdir() if not path.suffix]
        assert {path.read_text() for path in trace.glob("*.version")} == {builder}
        assert [path.stem for path in trace.glob("*.made")] == [builder]
        assert len(list(trace.glob("*.reused"))) == 1
        assert not [name for name in target.store.objects.entries("") if name.endswith(".lease")]
