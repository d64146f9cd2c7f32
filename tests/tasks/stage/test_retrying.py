"""Where the network is at fault a task is tried again for minutes, and says each time when and why."""

import itertools
import re
import socket
from types import SimpleNamespace
from typing import Any

import pytest
from prefect import flow, task_engine

from tasks.errors import AwayStoreError, NetworkError, UnknownHostError, UserError, unreached
from tasks.stage.retrying import TRIES_OF_A_NAME, VARIABLE, retried, tries_after


def in_flow(host: list[Exception]) -> tuple[list[float], Any]:
    """Ask in a flow run; an entry for each try, and the answer or the error."""
    asked: list[float] = []

    @retried
    def asking() -> str:
        """Ask once."""
        asked.append(0)
        if len(asked) <= len(host):
            raise host[len(asked) - 1]
        return "answer"

    @flow(name="test")
    def asks() -> Any:
        try:
            return asking()
        except (NetworkError, UserError) as error:
            return error

    return asked, asks()


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long Prefect slept, in no time; with the waits of a run that nobody has told others."""
    lengths: list[float] = []
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setattr(task_engine, "time", SimpleNamespace(sleep=lengths.append))
    return lengths


def lines_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was logged about further tries, by whomever."""
    return [line for line in caplog.messages if re.search("again|retry", line, re.IGNORECASE)]


def test_a_host_that_is_away_is_waited_for_for_minutes(prefect_server, slept, caplog):
    """Each wait is longer than the one before, they are minutes in all, and each is said with its reason."""
    tries, answer = in_flow([NetworkError("git.example does not answer")] * 5)
    assert (len(tries), answer) == (6, "answer")
    assert all(later > before for before, later in itertools.pairwise(slept))
    assert 300 < sum(slept) < 600
    lines = lines_of(caplog)
    assert len(lines) == 5
    for number, (line, wait) in enumerate(zip(lines, slept, strict=True), start=1):
        said = re.fullmatch(r"Trying again in (\d+) s, (\d) of 5: git.example does not answer", line)
        assert (int(said[2]), abs(int(said[1]) - wait) < 2) == (number, True)


def test_a_host_that_stays_away_ends_the_task(prefect_server, slept, caplog):
    """After the last wait its error comes out; no wait is said that is not kept."""
    tries, error = in_flow([NetworkError("git.example does not answer")] * 9)
    assert (len(tries), str(error)) == (6, "git.example does not answer")
    assert len(slept) == 5
    assert [line for line in lines_of(caplog) if line.startswith("Trying again")] != []


def test_what_will_not_pass_is_not_tried_again(prefect_server, slept):
    """A user's mistake, and a store for which each request has been waited for."""
    for error in (UserError("choose 8 or less"), AwayStoreError("the store does not answer")):
        assert in_flow([error]) == ([0], error)
    assert slept == []


def test_a_library_says_whether_a_host_is_known():
    """However deep below the error of the library it lies."""
    outer, inner = RuntimeError("no connection"), OSError("no connection")
    outer.__cause__, inner.__context__ = inner, socket.gaierror(-2, "Name or service not known")
    assert isinstance(unreached("no hub", outer), UnknownHostError)
    assert type(unreached("no hub", OSError(113, "No route to host"))) is NetworkError


def test_a_misspelt_name_keeps_nobody_at_a_terminal(prefect_server, slept, caplog, monkeypatch):
    """There it is tried twice more; where nobody watches, a server of names may come back in the night."""
    assert len(in_flow([UnknownHostError("nobody knows git.exmaple")] * 9)[0]) == 6
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    caplog.clear()
    slept.clear()
    assert len(in_flow([UnknownHostError("nobody knows git.exmaple")] * 9)[0]) == 1 + TRIES_OF_A_NAME
    assert sum(slept) < 30
    said = [line for line in lines_of(caplog) if line.startswith("Trying")]
    assert [line.split(" s, ")[1] for line in said] == [
        f"{number} of {TRIES_OF_A_NAME}; Ctrl-C stops: nobody knows git.exmaple" for number in (1, 2)
    ]
    assert tries_after(NetworkError("away"), 5, watched=True) == 5


def test_other_waits_can_be_named(prefect_server, slept, monkeypatch):
    """The environment says how many further tries there are, and when; nothing is none."""
    monkeypatch.setenv(VARIABLE, "10 20,30")
    tries, _ = in_flow([NetworkError("away")] * 9)
    assert (len(tries), 45 < sum(slept) < 75) == (4, True)
    monkeypatch.setenv(VARIABLE, "")
    assert len(in_flow([NetworkError("away")] * 9)[0]) == 1


@pytest.mark.parametrize("wrong", ["soon", "5, -1", "inf", "nan", "1 " * 51])
def test_waits_that_cannot_be_read_are_refused(wrong, prefect_server, monkeypatch):
    """The error names the variable, the value and what may stand there."""
    monkeypatch.setenv(VARIABLE, wrong)
    tries, error = in_flow([])
    assert (tries, type(error)) == ([], UserError)
    assert VARIABLE in str(error)
    assert repr(wrong) in str(error)
    assert "'5, 15, 45, 120, 240'" in str(error)
