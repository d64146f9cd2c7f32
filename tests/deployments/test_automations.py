"""A run whose worker and process died goes on by itself, once the automations are installed."""

import json
import os
import signal

import yaml

from tests.prefect_server import ROOT
from tests.waiting import until


def test_a_killed_run_comes_back_by_itself(server, tiny, tmp_path):
    """Worker and run are killed; missing heartbeats end the run as crashed, and it resumes and completes."""
    automations = yaml.safe_load((ROOT / "deployments" / "automations.yaml").read_text())
    automations["automations"][0]["trigger"]["within"] = 40  # heartbeats come every 30 seconds
    (tmp_path / "automations.yaml").write_text(json.dumps(automations))
    server.make("automations", AUTOMATIONS=str(tmp_path / "automations.yaml"))
    names = [entry["name"] for entry in server.post("/automations/filter", {})]
    assert sorted(names) == sorted(entry["name"] for entry in automations["automations"]), "none twice"

    parameters = tiny(max_steps=400, save_steps=20, logging_steps=10, seed=2)
    with server.worker(tmp_path / "first") as process:
        id_ = server.start("docs-mlm/on-demand", **parameters)
        until(lambda: list(tmp_path.glob("store/checkpoints/*/*/manifest.json")))
        os.kill(process.pid, signal.SIGKILL)
        os.kill(server.process_of(id_), signal.SIGKILL)
    assert server.run(id_)["state_name"] == "Running", "nobody has told the server"
    server.wait(id_, "AwaitingRetry")
    with server.worker(tmp_path / "second"):
        run = server.wait(id_, "Completed")
    assert run["run_count"] == 2
    assert "Resuming from step" in server.logs(id_)
