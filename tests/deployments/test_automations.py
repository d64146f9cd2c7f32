"""A run whose worker and process died goes on by itself, once the automations are installed."""

import os
import signal

import yaml

from tests.deployments.conftest import NAMES
from tests.deployments.test_deployments import cancel
from tests.prefect_server import ROOT
from tests.waiting import until

KILLED = ("demo", "several")
"""One that runs in a flow of its own, as `nightly` and `on-demand` do, and one whose work a child does."""


def test_a_killed_run_comes_back_by_itself(server, long, tmp_path):
    """Worker and runs are killed; missing heartbeats end each run as crashed, and it resumes."""
    installed = yaml.safe_load((ROOT / "deployments" / "automations.yaml").read_text())["automations"]
    server.make("automations")
    names = [entry["name"] for entry in server.post("/automations/filter", {})]
    assert sorted(names) == sorted(entry["name"] for entry in installed), "none twice"

    with server.worker(tmp_path / "first") as process:
        runs = {name: server.start(NAMES[name], **long(name)) for name in KILLED}
        until(
            lambda: all(list(tmp_path.glob(f"{name}/store/checkpoints/*/*/manifest.json")) for name in KILLED)
        )
        os.kill(process.pid, signal.SIGKILL)
        for id_ in runs.values():
            os.kill(server.process_of(id_), signal.SIGKILL)
    assert {server.run(id_)["state_name"] for id_ in runs.values()} == {"Running"}, (
        "nobody has told the server"
    )
    for id_ in runs.values():
        server.wait(id_, "AwaitingRetry")
    with server.worker(tmp_path / "second"):
        for name, id_ in runs.items():
            server.wait(id_, "Running")
            until(lambda id_=id_: server.run(id_)["run_count"] > 1)
            training = id_
            if name == "several":
                until(lambda id_=id_: len(server.runs(parent_flow_run_id={"any_": [id_]})) > 1)
                before, *_, after = server.runs(parent_flow_run_id={"any_": [id_]})
                assert before["state_name"] == "Crashed"
                training = after["id"]
            server.wait_for_log(training, "Resuming from step")
            cancel(server, id_)
            server.wait(id_, "Cancelled")
