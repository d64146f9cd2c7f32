"""What is shown of a stage while it goes on."""

import threading
from types import SimpleNamespace

import pytest
from prefect import flow, task
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId
from prefect.runtime import flow_run

from tasks.stage import target
from tasks.stage.progress import ProgressBar, current_bar, progress_bar, tell, watched, watching


def artifacts_of_this_run():
    """By key; the server is shared with other tests' runs."""
    mine = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[flow_run.id]))
    with get_client(sync_client=True) as client:
        return {a.key: a for a in client.read_artifacts(artifact_filter=mine)}


def in_task(work):
    """Call a function in a task run of a flow run."""
    flow(name="watched")(lambda: task(name="stage")(work)())()


@pytest.mark.usefixtures("prefect_server")
def test_a_bar_ends_at_100_with_the_last_words():
    """What is told too soon is not shown, but a bar whose stage ends well is full."""
    seen = []

    def work():
        with progress_bar("clone-progress"):
            tell("Read 1 of 4 files", 0.25)
            seen.append(artifacts_of_this_run()["clone-progress"])
        seen.append(artifacts_of_this_run()["clone-progress"])

    in_task(work)
    assert [(bar.data, bar.description) for bar in seen] == [(0.0, "Begun"), (100.0, "Read 1 of 4 files")]


@pytest.mark.usefixtures("prefect_server")
def test_a_bar_stays_where_its_stage_failed():
    """A stage that fails leaves its bar where it was, and nobody hears what is told afterwards."""
    seen = []

    def work():
        with pytest.raises(ValueError, match="broken"), progress_bar("clone-progress"):
            raise ValueError("broken")
        tell("heard by nobody", 1.0)
        seen.append(artifacts_of_this_run()["clone-progress"].data)

    in_task(work)
    assert seen == [0.0]


@pytest.mark.usefixtures("prefect_server")
def test_a_bar_is_moved_by_threads_and_never_back():
    """Another thread's words reach the same server, and a smaller share than before moves nothing."""
    seen = []

    def work():
        bar = ProgressBar("upload-progress", every_seconds=0)
        for share in (0.5, 0.25):
            mover = threading.Thread(target=bar.tell, args=(f"told {share}", share))
            mover.start()
            mover.join()
        seen.append(artifacts_of_this_run()["upload-progress"])

    in_task(work)
    assert [(bar.data, bar.description) for bar in seen] == [(50.0, "told 0.25")]


@pytest.mark.usefixtures("prefect_server")
def test_many_words_cost_one_update(monkeypatch):
    """A stage may tell of every document: within the interval nothing is sent, and after it once."""
    sent = []
    monkeypatch.setattr("prefect.artifacts.update_progress_artifact", lambda *a, **k: sent.append(a[1]))
    clock = iter(range(1000))

    def work():
        monkeypatch.setattr("tasks.stage.progress.time", SimpleNamespace(monotonic=lambda: next(clock) / 100))
        bar = ProgressBar("filter-progress", every_seconds=4)
        for number in range(500):
            bar.tell("cleaned", number / 500)

    in_task(work)
    assert len(sent) == 1


def test_outside_a_run_nobody_watches():
    """A stage's plain functions tell nobody, and ask no server."""
    assert current_bar() is None
    tell("nothing", 0.5)


@pytest.mark.usefixtures("prefect_server")
def test_another_watcher_hears_every_word():
    """Whoever watches is told of each bar by its name, at once and from any thread, until it looks away."""
    heard = []

    def watch(name):
        return lambda words, percent: heard.append((name, words, percent))

    def work():
        with watching(watch):
            bar = ProgressBar("filter-progress")
            mover = threading.Thread(target=bar.tell, args=("half", 0.5))
            mover.start()
            mover.join()
            bar.show("most", 75.0)
            watched("upload")("Stored", 10.0)
        ProgressBar("clone-progress").tell("heard by nobody", 0.5)

    in_task(work)
    assert heard == [("filter", "half", 50.0), ("filter", "most", 75.0), ("upload", "Stored", 10.0)]


def test_an_upload_is_told_and_logged(monkeypatch, tmp_path, caplog):
    """Whoever watches is told of the bytes that have gone, and the log of them now and then."""
    (tmp_path / "file").write_bytes(bytes(4_000_000))
    heard = []
    monkeypatch.setattr(target, "_LOG_SECONDS", 0.0)
    with watching(lambda name: lambda words, percent: heard.append((name, words, percent))):
        told = target._upload_told(tmp_path)
        with caplog.at_level("INFO", "docs_mlm"):
            told(1_000_000)
            told(9_000_000)
    assert heard == [("upload", "Stored 1.0 of 4.0 MB", 25.0), ("upload", "Stored 4.0 of 4.0 MB", 100.0)]
    assert caplog.messages == [words for _, words, _ in heard]
