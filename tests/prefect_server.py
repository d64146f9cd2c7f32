"""A real Prefect server and real workers for tests, each a process of its own, stopped by its id.

with prefect_server(folder) as server:
    server.make("deploy", DOCS_MLM_STORE=store)
    with server.worker(elsewhere):
        run = server.start("docs-mlm-demo/demo", max_steps=5)
        server.wait(run, "Completed")
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.prefect_database import put_database
from tests.waiting import until

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
AT_ONCE = 200
"""The most that the server tells at once."""
FINAL = {"COMPLETED", "FAILED", "CANCELLED", "CRASHED"}
QUICK = {
    # What a person would wait for, a test need not.
    "PREFECT_WORKER_QUERY_SECONDS": "1",
    "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "2",
    "PREFECT_SERVER_SERVICES_SCHEDULER_RECENT_DEPLOYMENTS_LOOP_SECONDS": "1",
    "PREFECT_SERVER_DEPLOYMENTS_CONCURRENCY_SLOT_WAIT_SECONDS": "1",
}


@dataclass(kw_only=True)
class PrefectServer:
    """A running server, and the ways to it."""

    port: int
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    read_logs: dict[str, list[str]] = field(default_factory=dict, repr=False)
    """What was read of each run's log, line by line."""
    client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=300), repr=False)

    @property
    def url(self) -> str:
        """The address of the UI."""
        return f"http://127.0.0.1:{self.port}"

    def call(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """One request to the API, again while the server says that it is too busy."""
        for _ in range(10):
            answer = self.client.request(method, f"{self.url}/api{path}", json=body)
            if answer.status_code != 503:
                break
            time.sleep(1)
        return answer

    def get(self, path: str) -> Any:
        """The answer to a GET, which must succeed."""
        return self.call("GET", path).raise_for_status().json()

    def post(self, path: str, body: Any) -> Any:
        """The answer to a POST, which must succeed."""
        return self.call("POST", path, body).raise_for_status().json()

    def make(self, target: str, **variables: str) -> str:
        """Run a make target against this server, with the tests' Python; what it printed."""
        command = ["make", "--no-print-directory", "-C", str(ROOT), "-o", ".venv/.installed", target]
        done = subprocess.run(
            [*command, f"BIN={BIN}"],
            env=self.environment | variables, capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(done.stdout[-3000:] + done.stderr[-3000:])
        return done.stdout

    def deployment(self, name: str) -> dict[str, Any]:
        """A deployment by `flow/name`."""
        return self.get(f"/deployments/name/{name}")

    def start(self, deployment: str, **parameters: Any) -> str:
        """Ask for a run as the UI does; its id."""
        return self.ask(deployment, **parameters).raise_for_status().json()["id"]

    def ask(self, deployment: str, **parameters: Any) -> httpx.Response:
        """Ask for a run; the answer, whatever it is."""
        id_ = self.deployment(deployment)["id"]
        body = {"parameters": parameters, "state": {"type": "SCHEDULED"}}
        return self.call("POST", f"/deployments/{id_}/create_flow_run", body)

    def run(self, id_: str) -> dict[str, Any]:
        """A flow run."""
        return self.get(f"/flow_runs/{id_}")

    def process_of(self, id_: str) -> int:
        """The process that a run lives in."""
        return int(self.run(id_)["infrastructure_pid"].rsplit(":", 1)[-1])

    def runs(self, **filters: Any) -> list[dict[str, Any]]:
        """The flow runs that a filter chooses."""
        return self.all_of("/flow_runs/filter", {"flow_runs": filters, "sort": "START_TIME_ASC"})

    def all_of(self, path: str, body: dict[str, Any], first: int = 0) -> list[dict[str, Any]]:
        """All that a filter chooses from number `first` on, of which the server tells some at a time."""
        found: list[dict[str, Any]] = []
        while True:
            more = self.post(path, body | {"offset": first + len(found), "limit": AT_ONCE})
            found += more
            if len(more) < AT_ONCE:
                return found

    def wait(self, id_: str, *states: str) -> dict[str, Any]:
        """The run once it is in one of `states` (names, such as `Completed` or `AwaitingRetry`)."""

        def arrived() -> dict[str, Any] | None:
            run = self.run(id_)
            if run["state_name"] in states:
                return run
            if run["state_type"] in FINAL and not {"AwaitingRetry", "Crashed"} & set(states):
                raise AssertionError(f"{run['state_name']}: {run['state']['message']}\n{self.logs(id_)}")
            return None

        found = until(arrived)
        assert found is not None
        return found

    def wait_for_log(self, id_: str, words: str) -> None:
        """Until the run has logged `words`.

        Raises:
            AssertionError: it ended before.
        """
        until(lambda: words in self.logs(id_), goes_on=lambda: self.run(id_)["state_type"] not in FINAL)

    def logs(self, id_: str) -> str:
        """What a run logged.

        Of what was read before only the end is read again, for some lines come late.
        """
        lines = self.read_logs.setdefault(id_, [])
        del lines[-AT_ONCE:]
        chosen = {"logs": {"flow_run_id": {"any_": [id_]}}, "sort": "TIMESTAMP_ASC"}
        lines += [entry["message"] for entry in self.all_of("/logs/filter", chosen, first=len(lines))]
        return "\n".join(lines)

    def artifacts(self, id_: str) -> dict[str, Any]:
        """The contents of a run's artifacts by key."""
        chosen = {"artifacts": {"flow_run_id": {"any_": [id_]}}, "sort": "CREATED_DESC"}
        newest_first = self.all_of("/artifacts/filter", chosen)
        return {entry["key"]: entry["data"] for entry in reversed(newest_first)}

    @contextmanager
    def worker(self, folder: Path, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
        """A worker that was started in `folder`, stopped at the end with all that it started."""
        folder.mkdir(parents=True, exist_ok=True)
        command = [str(BIN / "prefect"), "worker", "start", "--pool", "docs-mlm", "--type", "process"]
        process = _start(command, folder, self.environment | variables, self.folder / "worker.log")
        try:
            yield process
        finally:
            _stop(process)


@contextmanager
def prefect_server(folder: Path, **variables: str) -> Iterator[PrefectServer]:
    """Start a server whose home is `folder`, and stop it at the end."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "DOCS_MLM_"))
    }
    environment = kept | QUICK | {
        "PREFECT_HOME": str(folder),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
    } | variables  # fmt: skip
    if "PREFECT_API_DATABASE_CONNECTION_URL" not in variables:
        put_database(folder)
    server = PrefectServer(port=port, folder=folder, environment=environment)
    command = [str(BIN / "prefect"), "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    log = folder / "server.log"
    process = _start(command, folder, environment, log)

    def healthy() -> bool:
        if process.poll() is not None:
            raise RuntimeError(f"the Prefect server did not start:\n{log.read_text()[-3000:]}")
        with suppress(httpx.HTTPError):
            return server.call("GET", "/health").is_success
        return False

    try:
        until(healthy)
        yield server
    finally:
        server.client.close()
        _stop(process)


def _start(
    command: list[str], folder: Path, environment: dict[str, str], log: Path
) -> subprocess.Popen[bytes]:
    with log.open("ab") as stream:
        return subprocess.Popen(
            command, cwd=folder, env=environment, stdout=stream, stderr=stream, start_new_session=True
        )


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)
    with suppress(subprocess.TimeoutExpired):
        process.wait(15)
    # What it left behind is in its own process group.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
