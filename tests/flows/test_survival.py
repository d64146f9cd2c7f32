"""Whatever is killed, whenever: the next attempt ends with the same model (the long form is `make soak`)."""

import json

from tasks.run.plan import make_plan
from tasks.settings import Settings
from tests.run_process import start_run
from tests.soak import SETTINGS, STAGES, soak, stage_of, table


def test_killed_runs_end_with_the_same_weights(server_url, tmp_path):
    """Killed while it clones, trains and publishes, on changing machines, a run ends as if undisturbed."""
    assert SETTINGS["train"]["save_steps"] < SETTINGS["train"]["max_steps"]
    report = soak(
        tmp_path, server_url, kills=3, seconds=150, targets=("documents", "training", "models"), kinds=("s3",)
    )
    assert len(report.kills) == 3
    assert "3 kills" in table(report, "abc")


def test_a_log_tells_the_stage():
    """Where a kill landed is told by the tasks that had finished."""
    tasks = ["resolve_plan", "clone_docs", "filter_markdown", "cache_dataset", "tokenize_corpus"]
    log = "".join(f"Task run '{name}-1a2' - Finished in state Completed()\n" for name in tasks)
    assert stage_of("") == "start"
    assert stage_of(log.splitlines()[0]) == "documents"
    assert stage_of(log) == "loading"
    assert stage_of(log + "Resuming from step 5 of 10\n") == "training"
    assert stage_of(log + "Task run 'train_model-1a2' - Finished in state Completed()\n") == "models"
    assert list(STAGES)[-1] == "end"


def test_who_waits_is_told_once(repositories, server_url, tmp_path):
    """A run that finds another one at work on its first stage says so in one line, and then goes on."""
    settings = SETTINGS | {
        "source": {"url": repositories.url("docs.git")},
        "store": str(tmp_path / "store"),
        "work_dir": str(tmp_path / "work"),
    }
    (tmp_path / "settings.yaml").write_text(json.dumps(settings))
    step = make_plan(Settings.model_validate(settings)).targets["documents"]
    with step.store.lease(step.uri):
        attempt = start_run([str(tmp_path / "settings.yaml")], tmp_path, PREFECT_API_URL=server_url)
        attempt.wait_for("Another run is at work on documents/")
    attempt.wait_for("documents found")
    attempt.kill()
    assert attempt.text().count("Another run is at work") == 1
