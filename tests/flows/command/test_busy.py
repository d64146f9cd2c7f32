"""Several runs at once on one SQLite file: the server is busy now and then, and no run ends for it."""

import json
import sqlite3
import time
from contextlib import closing

import pytest
import yaml

from flows.command.main import QUIET
from tests.busy_server import busy_server
from tests.prefect_server import ROOT
from tests.run_process import start_run
from tests.soak import SETTINGS
from tests.waiting import until

PREFECTS_OWN = 5
"""Retries of Prefect's client where nobody says otherwise."""


@pytest.fixture
def arguments(repositories, tmp_path):
    """A run of seconds, without its store."""
    path = tmp_path / "short.yaml"
    path.write_text(json.dumps(SETTINGS | {"train": SETTINGS["train"] | {"max_steps": 4}}))
    return [str(path), "--source.url", repositories.url("docs.git")]


def test_a_run_outlasts_a_busy_server(arguments, server_url, tmp_path):
    """Whatever a run tells it, the server may say 503 more often than Prefect's client alone puts up with."""
    with busy_server(server_url, PREFECTS_OWN + 1) as (url, refused):
        attempt = start_run(
            [*arguments, "--store", str(tmp_path / "store")], tmp_path / "machine", PREFECT_API_URL=url
        )
        assert attempt.wait() == 0, attempt.text()
    often = [kind for kind, times in refused.items() if times > PREFECTS_OWN]
    assert {
        ("POST", "/api/flow_runs/"),
        ("POST", "/api/flow_runs/ID/set_state"),
        ("POST", "/api/artifacts/"),
    } <= {*often}


def test_three_runs_at_once_share_a_new_database(arguments, tmp_path):
    """Each with a temporary server on one file that none has made yet, which others write to meanwhile."""
    home = tmp_path / "prefect"
    attempts = [
        start_run(
            [*arguments, "--store", str(tmp_path / f"store-{number}")],
            tmp_path / f"machine-{number}",
            PREFECT_HOME=str(home),
        )
        for number in range(3)
    ]
    for attempt in attempts:
        attempt.wait_for("Loading the stages")
    with closing(sqlite3.connect(home / "prefect.db", timeout=60, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        time.sleep(6)
        other.execute("ROLLBACK")
    for attempt in attempts:
        assert attempt.wait() == 0, attempt.text()
        assert "Traceback" not in attempt.text()
        assert "locked" not in attempt.text()

    def states(table: str) -> list[tuple[str, int]]:
        with closing(sqlite3.connect(home / "prefect.db")) as database:
            return list(database.execute(f"SELECT state_type, count(*) FROM {table} GROUP BY 1"))

    assert states("flow_run") == [("COMPLETED", 3)]
    assert until(lambda: states("task_run")) == [("COMPLETED", 3 * 9)]


def test_a_worker_is_as_patient_as_the_command():
    """The deployments' runs, and the containers' and the Makefile's worker, have the command's setting."""
    name = "PREFECT_CLIENT_MAX_RETRIES"
    folder = ROOT / "deployments"
    deployments = yaml.safe_load((folder / "prefect.yaml").read_text())["deployments"]
    found = [entry["work_pool"]["job_variables"]["env"][name] for entry in deployments]
    compose = yaml.safe_load((folder / "compose.yaml").read_text())["services"]["worker"]["environment"]
    assert {*found, compose[name]} == {QUIET[name]}
    assert f"worker: export {name} ?= {QUIET[name]}" in (ROOT / "Makefile").read_text()
    assert int(QUIET[name]) > PREFECTS_OWN
