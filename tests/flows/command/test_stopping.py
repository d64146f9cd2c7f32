"""Ctrl-C and SIGTERM: a checkpoint is stored, Prefect knows, and the message says how to go on."""

import json
import re
import signal
import socket
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tasks.store.folders import Store
from tests.run_process import start_run
from tests.s3_server import fault_proxy
from tests.soak import SETTINGS, environment_of
from tests.waiting import until

LONG = SETTINGS | {"train": SETTINGS["train"] | {"max_steps": -1, "num_train_epochs": 900.0}}


@pytest.fixture
def arguments(repositories, tmp_path):
    """A run that trains for minutes."""
    path = tmp_path / "long.yaml"
    path.write_text(json.dumps(LONG))
    return [str(path), "--source.url", repositories.url("docs.git")]


def processes_of(machine) -> list[str]:
    """The command lines of all processes, in whatever session, that began with this machine's environment."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"DOCS_MLM_WORK_DIR={machine}/".encode() in (entry / "environ").read_bytes():
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found


def states_in(database: Path) -> list[str]:
    """The state of each flow run, as the temporary server left it."""
    with closing(sqlite3.connect(database)) as connection:
        return [state for (state,) in connection.execute("SELECT state_type FROM flow_run")]


@pytest.mark.parametrize(("number", "code", "workers"), [(signal.SIGTERM, 143, 0), (signal.SIGINT, 130, 2)])
def test_a_stopped_run_saves_and_says_how_to_go_on(number, code, workers, arguments, server_url, tmp_path):
    """The step is finished and stored, the exit code is the signal's, and the next run goes on from there.

    The signal goes to every process of the group, Prefect's temporary server and the data workers among
    them, and yet is heard: within 30 seconds all have ended, and the server was told how the run did.
    """
    store, machine = Store(str(tmp_path / "store")), tmp_path / "machine"
    arguments += ["--store", store.url, "--train.dataloader-num-workers", str(workers)]
    # Many micro-batches a step, so that the one under way still needs some from the workers.
    arguments += ["--train.per-device-train-batch-size", "1", "--train.gradient-accumulation-steps", "16"]
    attempt = start_run(arguments, machine)
    attempt.wait_for("Stored checkpoint")
    began = time.monotonic()
    attempt.interrupt(number)
    assert attempt.wait() == code, attempt.text()
    until(lambda: not processes_of(machine))
    assert time.monotonic() - began < 30
    log = attempt.text()
    saved = int(re.search(r"Asked to stop: saved step (\d+)", log)[1])
    assert "run the same command again to go on from the newest checkpoint" in log
    assert re.search(r"Flow run .* - Finished in state Crashed", log)
    assert "Traceback" not in log
    assert attempt.out.read_text() == ""
    assert states_in(machine / "prefect" / "prefect.db") == ["CRASHED"]
    (key,) = store.folders(store.uri("checkpoints"))
    newest = store.folders(store.uri("checkpoints", key))[-1]
    assert newest.startswith(f"step-{saved:010d}-")
    assert store.manifest(store.uri("checkpoints", key, newest)) is not None
    assert not [name for name in store.objects.entries("") if name.endswith(".lease")]
    again = start_run(arguments, tmp_path / "elsewhere", PREFECT_API_URL=server_url)
    again.wait_for(f"Resuming from step {saved} of")
    again.kill()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_wait_for_the_network_is_stopped_at_once(number, code, server_url, tmp_path):
    """While a run waits minutes for a host that is away, a signal ends it within seconds."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/docs.git"
        attempt = start_run(
            ["demo", "--source.url", url, "--store", str(tmp_path / "store")],
            tmp_path / "machine", PREFECT_API_URL=server_url, DOCS_MLM_RETRY_WAITS="500",
        )  # fmt: skip
        attempt.wait_for("s, 1 of 1: ")
        time.sleep(1)
        began = time.monotonic()
        attempt.interrupt(number)
        assert attempt.wait() == code, attempt.text()
        assert time.monotonic() - began < 20
        assert "Traceback" not in attempt.text()


def test_a_second_ctrl_c_stops_at_once(arguments, server_url, s3, tmp_path):
    """While the first one waits for a store that is away, the second one does not."""
    with fault_proxy(s3) as proxy, environment_of(proxy):
        arguments += ["--store", proxy.url("second")]
        attempt = start_run(arguments, tmp_path / "machine", PREFECT_API_URL=server_url)
        attempt.wait_for("Stored checkpoint")
        proxy.away = True
        attempt.interrupt(signal.SIGINT)
        attempt.wait_for("Asked to stop")
        time.sleep(2)
        assert attempt.process.poll() is None
        attempt.interrupt(signal.SIGINT)
        assert attempt.wait() == 130
        # Said when the first one's 25 seconds for the store are over.
        assert "The last checkpoint is not in the store" not in attempt.text()


def test_the_temporary_server_ends_with_a_run_that_is_killed(arguments, tmp_path):
    """SIGKILL to the run alone, as of a machine short of memory, leaves no server behind."""
    machine = tmp_path / "machine"
    attempt = start_run([*arguments, "--store", str(tmp_path / "store")], machine)
    attempt.wait_for("Stored checkpoint")
    assert [line for line in processes_of(machine) if "own_server" in line]
    attempt.process.kill()
    attempt.wait()
    until(lambda: not processes_of(machine))
