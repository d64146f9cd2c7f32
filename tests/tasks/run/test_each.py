"""Several runs, each a process: so many at once, all waited for, and stopped together."""

import multiprocessing
import signal
import time

import pytest

from tasks.clone_docs.settings import SourceSettings
from tasks.run.each import Outcome, in_turn, outcome_table, source_label


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


def test_labels_hold_no_secrets():
    """A source is called by its repository or its last name, never with a token."""
    assert source_label(SourceSettings(url="https://user:secret@host/owner/docs.git")) == "owner/docs"
    assert source_label(SourceSettings(folder="/a/b/markdown")) == "markdown"
    assert source_label(SourceSettings()) == "no source"


def test_the_table_keeps_messages_in_their_cells():
    """A message of several lines with pipes stays one cell."""
    table = outcome_table([Outcome(name="1. a", run="r", state="Failed", message="x\n| y")])
    assert table.splitlines()[-1] == "| 1. a | Failed | r | x \\| y |"
