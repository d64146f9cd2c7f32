"""Several runs, each a process: so many at once, all waited for, and stopped together."""

import json
import multiprocessing
import os
import signal
import threading
import time
from pathlib import Path

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.runtime import flow_run
from prefect.settings import PREFECT_API_URL

from tasks.clone_docs.settings import SourceSettings
from tasks.run.children import stop
from tasks.run.each import Outcome, in_turn, outcome_table, run_each, source_label


@flow(persist_result=False)
def child_flow(file: str) -> None:
    """Note what a child finds."""
    in_thread: list[str] = []
    thread = threading.Thread(target=lambda: in_thread.append(PREFECT_API_URL.value()))
    thread.start()
    thread.join()
    seen = {
        "server": PREFECT_API_URL.value(),
        "in a thread": in_thread[0],
        "parent": flow_run.parent_flow_run_id,
        "tags": flow_run.tags,
        "deaf": signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, []),
    }
    Path(file).write_text(json.dumps(seen))


def work(log, name, seconds):
    """Note the beginning and the end, and how a stop was heard."""
    signal.signal(signal.SIGTERM, lambda *_: (log.put((name, "stopped")), exit(0)))
    log.put((name, "begun"))
    time.sleep(seconds)
    log.put((name, "ended"))


def entries(log):
    """All that was noted."""
    found = []
    while not log.empty():
        found.append(log.get())
    return found


def test_at_most_so_many_run_at_once():
    """With two at once, the third begins when one of the first has ended."""
    context = multiprocessing.get_context("spawn")
    log = context.Queue()

    def start(name):
        process = context.Process(target=work, args=(log, name, 0.5))
        process.start()
        return process

    in_turn(["a", "b", "c"], start, at_once=2)
    running, most = 0, 0
    for _, what in (noted := entries(log)):
        running += 1 if what == "begun" else -1
        most = max(most, running)
    assert most <= 2
    assert {name for name, what in noted if what == "ended"} == {"a", "b", "c"}


def test_an_interrupt_stops_what_runs_and_starts_nothing_more():
    """When the parent is interrupted its children hear SIGTERM, and are waited for."""
    context = multiprocessing.get_context("spawn")
    log, processes = context.Queue(), []

    def start(name):
        if processes:
            assert log.get(timeout=60) == ("a", "begun")
            raise KeyboardInterrupt
        processes.append(context.Process(target=work, args=(log, name, 60)))
        processes[0].start()
        return processes[0]

    with pytest.raises(KeyboardInterrupt):
        in_turn(["a", "b", "c"], start, at_once=2)
    assert not processes[0].is_alive()
    assert entries(log) == [("a", "stopped")]


class Stubborn:
    """A process that takes its time to stop, while its parent is interrupted again."""

    def __init__(self):
        self.told = []

    def is_alive(self):
        """It never ends by itself."""
        return True

    def terminate(self):
        """Asked to."""
        self.told.append("terminate")

    def join(self, timeout=None):
        """Waited for."""
        raise KeyboardInterrupt

    def kill(self):
        """Made to."""
        self.told.append("kill")


def test_a_second_interrupt_kills():
    """Who interrupts again while the children save does not wait for them."""
    children = [Stubborn(), Stubborn()]
    with pytest.raises(KeyboardInterrupt):
        stop(children)
    assert [child.told for child in children] == [["terminate", "kill"]] * 2


@pytest.mark.usefixtures("prefect_server")
def test_a_child_knows_its_parents_server_from_its_first_moment(tmp_path, monkeypatch):
    """Prefect's function for it starts a process with this environment, as this run's child, with its tags.

    Its threads know the server too, to which they log.
    """
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    file = tmp_path / "seen.json"

    @flow
    def parent():
        with get_client(sync_client=True) as client:
            url = str(client.api_url).rstrip("/")
        (outcome,) = run_each(child_flow, {"a": {"file": str(file)}}, at_once=1)
        return url, outcome, flow_run.id

    url, outcome, parent_id = parent()
    assert (outcome.name, outcome.state) == ("a", "Completed")
    seen = json.loads(file.read_text())
    wanted = {"server": url, "in a thread": url, "parent": parent_id, "tags": ["source: a"], "deaf": True}
    assert seen == wanted
    assert "PREFECT_API_URL" not in os.environ


def test_labels_hold_no_secrets():
    """A source is called by its repository or its last name, never with a token."""
    assert source_label(SourceSettings(url="https://user:secret@host/owner/docs.git")) == "owner/docs"
    assert source_label(SourceSettings(folder="/a/b/markdown")) == "markdown"
    assert source_label(SourceSettings()) == "no source"


def test_the_table_keeps_messages_in_their_cells():
    """A message of several lines with pipes stays one cell."""
    table = outcome_table([Outcome(name="1. a", run="r", state="Failed", message="x\n| y")])
    assert table.splitlines()[-1] == "| 1. a | Failed | r | x \\| y |"
