"""Runs that come from a schedule, from the API and from nobody's terminal, on a real server and worker."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tasks.models.published import list_versions
from tasks.store.folders import Store
from tests.deployments.conftest import NAMES
from tests.waiting import until


def test_the_demo_runs_when_the_api_asks(worker, store):
    """A run from the API, worked on in another folder, ends with its model in the store and an event."""
    id_ = worker.start("docs-mlm-demo/demo", max_steps=4)
    worker.wait(id_, "Completed")
    (version,) = list_versions(Store(str(store)))
    assert version.steps == 4
    assert worker.runs(parent_flow_run_id={"any_": [id_]}) == [], "all is told by the run that was asked for"
    assert worker.run(id_)["name"].startswith(f"demo-docs@{version.commit_sha[:8]}")
    until(lambda: "Held-out loss after" in worker.logs(id_))  # a log's last lines come after the state
    artifacts = worker.artifacts(id_)
    assert set(artifacts) == {
        "plan",
        "corpus",
        "clone-progress",
        "filter-progress",
        "pairs-progress",
        "tokenize-progress",
        "train-progress",
        "evaluation-progress",
        "upload-progress",
        "evaluation",
        "training",
        "masks",
        "versions",
        "result",
        f"versions-{version.line}",
        f"result-{version.line}",
    }
    assert version.uri in artifacts["result"]
    assert version.version in artifacts["versions"]
    assert "data:image/svg+xml" in artifacts["training"]
    assert {key: value for key, value in artifacts.items() if key.endswith("-progress")} == dict.fromkeys(
        [
            f"{stage}-progress"
            for stage in ("clone", "filter", "pairs", "tokenize", "train", "evaluation", "upload")
        ],
        100.0,
    )

    def published() -> list[dict]:
        chosen = {"filter": {"event": {"name": ["docs-mlm.model.published"]}}}
        events = worker.post("/events/filter", chosen)["events"]
        return [event for event in events if event["resource"]["docs-mlm.model.uri"] == version.uri]

    assert len(until(published)) == 1


def test_the_demo_runs_when_its_schedule_says_so(worker, store):
    """A schedule that is switched on starts a run by itself."""
    id_ = worker.deployment("docs-mlm-demo/demo")["id"]
    soon = datetime.now(UTC) + timedelta(seconds=6)
    hourly = {"interval": 3600, "anchor_date": soon.isoformat(), "timezone": "UTC"}
    schedule = {"schedule": hourly, "active": True, "parameters": {"max_steps": 4}}
    (made,) = worker.post(f"/deployments/{id_}/schedules", [schedule])
    try:

        def scheduled() -> list[dict]:
            return [run for run in worker.runs(deployment_id={"any_": [id_]}) if run["auto_scheduled"]]

        first = min(until(scheduled), key=lambda run: run["expected_start_time"])
        worker.wait(first["id"], "Completed")
    finally:
        worker.call("DELETE", f"/deployments/{id_}/schedules/{made['id']}")
    assert list_versions(Store(str(store)))


def test_deploying_again_keeps_the_schedules(server, store):
    """What was switched on, edited, added and paused in the UI is so after a second `make deploy`."""
    id_ = server.deployment("docs-mlm-several/several")["id"]
    added = {"schedule": {"cron": "0 3 1 1 *", "timezone": "UTC"}, "active": True}
    (made,) = server.post(f"/deployments/{id_}/schedules", [added])
    nightly = server.deployment("docs-mlm/nightly")
    (schedule,) = nightly["schedules"]
    edited = {"schedule": {"cron": "30 4 1 1 *", "timezone": "UTC"}, "active": True}
    place = f"/deployments/{nightly['id']}/schedules/{schedule['id']}"
    server.call("PATCH", place, edited).raise_for_status()
    server.call("POST", f"/deployments/{id_}/pause_deployment").raise_for_status()
    try:
        printed = server.make("deploy", DOCS_MLM_STORE=str(store))
        assert (
            "The schedules of demo, index, nightly, on-demand, several stay as the server has them" in printed
        )
        kept = server.deployment("docs-mlm/nightly")["schedules"]
        assert [(one["slug"], one["schedule"]["cron"], one["active"]) for one in kept] == [
            ("nightly", "30 4 1 1 *", True)
        ]
        several = server.deployment("docs-mlm-several/several")
        assert [(one["schedule"]["cron"], one["active"]) for one in several["schedules"]] == [
            ("0 3 1 1 *", True)
        ]
        assert several["paused"]
    finally:
        server.call("POST", f"/deployments/{id_}/resume_deployment")
        server.call("DELETE", f"/deployments/{id_}/schedules/{made['id']}")
        server.call("PATCH", place, {"schedule": schedule["schedule"], "active": False})


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"train": {"learning_rate": 7}}, "learning_rate"),
        ({"train": {"learning_rat": 0.1}}, "learning_rat"),
        ({"filter": {"cleaning": "html"}}, "cleaning"),
        ({"tokenize": {"max_seq_length": "long"}}, "max_seq_length"),
        ({"trian": {"learning_rate": 1e-4}}, "trian"),
    ],
)
def test_a_bad_value_is_refused_before_a_worker_is_bothered(server, tiny, change, named):
    """The server itself refuses a value out of bounds, and no run comes to be."""
    before = len(server.runs())
    answer = server.ask("docs-mlm/on-demand", **tiny() | change)
    assert answer.status_code == 409
    assert named in answer.text
    assert len(server.runs()) == before


def test_a_missing_secret_ends_the_run_at_once(worker, tiny):
    """A run whose credentials block is not there fails before any task begins, and names the block."""
    parameters = tiny()
    parameters["source"]["credentials_block"] = "no-such-block"
    run = worker.wait(worker.start("docs-mlm/on-demand", **parameters), "Failed")
    assert "no-such-block" in run["state"]["message"]
    assert worker.post("/task_runs/filter", {"flow_runs": {"id": {"any_": [run["id"]]}}}) == []
    assert not Path(parameters["store"]).exists()


def cancel(server, id_):
    """Cancel a run as the UI does."""
    server.post(f"/flow_runs/{id_}/set_state", {"state": {"type": "CANCELLING"}})


@pytest.mark.parametrize("name", ["on-demand", "demo", "several"])
def test_a_cancelled_run_saves_and_the_next_goes_on(name, worker, long, tmp_path):
    """Cancelling stops the run and all its processes within the grace, with a checkpoint.

    It and what it started end as cancelled, nothing is published, and the same run resumes.
    """
    parameters = long(name)
    id_ = worker.start(NAMES[name], **parameters)
    worker.wait(id_, "Running")
    training = id_
    if name == "several":
        (child,) = until(lambda: worker.runs(parent_flow_run_id={"any_": [id_]}))
        assert "docs-mlm" not in child["tags"], "what tells of failed runs would tell of it beside its parent"
        training = child["id"]
    worker.wait_for_log(training, "Step ")
    process = worker.process_of(id_)
    cancel(worker, id_)
    worker.wait(id_, "Cancelled")
    until(lambda: not Path(f"/proc/{process}").exists())
    # Before SIGTERM, the worker must hear of it; SIGKILL, 30 s after, would have left no such line.
    worker.wait_for_log(training, "Asked to stop: saved step")
    worker.wait_for_log(training, "Flow run was cancelled.")
    assert worker.run(training)["state_name"] == "Cancelled"
    assert [run["state_name"] for run in worker.runs(parent_flow_run_id={"any_": [id_]})] == (
        ["Cancelled"] if name == "several" else []
    )
    assert not (tmp_path / name / "store" / "models").exists()
    again = worker.start(NAMES[name], **parameters)
    worker.wait(again, "Running")
    if name == "several":
        (child,) = until(lambda: worker.runs(parent_flow_run_id={"any_": [again]}))
    worker.wait_for_log(child["id"] if name == "several" else again, "Resuming from step")
    cancel(worker, again)
    worker.wait(again, "Cancelled")
