"""Whatever is killed, whenever: the next attempt ends with the same model (the long form is `make soak`)."""

import json
import math

from tasks.run.plan import make_plan
from tasks.settings import Settings
from tests.run_process import start_run
from tests.soak import EMBED, SETTINGS, STAGES, TARGETS, gone_on_from, soak, spread, stage_of, table


def test_killed_runs_end_with_the_same_weights(server_url, tmp_path):
    """Killed while it clones, trains and publishes, on changing machines, a run ends as if undisturbed."""
    for training in (SETTINGS["train"], EMBED):
        assert training["save_steps"] < training["max_steps"]
    targets = ("documents", "training", "embedding", "models")
    report = soak(tmp_path, server_url, kills=len(targets), seconds=math.inf, targets=targets, kinds=("s3",))
    assert len(report.kills) == len(targets)
    assert "4 kills" in table(report, "abc")


def test_a_log_tells_the_stage():
    """Where a kill landed is told by the tasks that had finished."""
    tasks = [
        "resolve_plan",
        "clone_docs",
        "filter_markdown",
        "pair_documents",
        "cache_dataset",
        "tokenize_corpus",
    ]
    log = "".join(f"Task run '{name}-1a2' - Finished in state Completed()\n" for name in tasks)
    assert stage_of("") == "start"
    assert stage_of(log.splitlines()[0]) == "documents"
    assert stage_of(log) == "loading"
    assert stage_of(log + "Resuming from step 5 of 10\n") == "training"
    log += (
        "Step 60 of 60: loss 5.1, 900 tokens/s\nTask run 'train_model-1a2' - Finished in state Completed()\n"
    )
    assert (stage_of(log), gone_on_from(log)) == ("encoder", 0)
    first = "Step 1 of 60: loss 0.693, 80 pairs/s\n"
    assert (stage_of(log + first), gone_on_from(log + first)) == ("embedding", 0)
    assert gone_on_from(log + first.replace("1", "16", 1)) == 15
    assert gone_on_from("Resuming from step 5 of 60\n") == 5
    assert stage_of(log + first + "Task run 'embed-1a2' - Finished in state Completed()\n") == "models"
    assert list(STAGES)[-1] == "end"


def test_few_kills_reach_all_parts_of_a_run():
    """As many as are wanted, in the order of the stages, within both trainings too."""
    for most in range(5, len(TARGETS)):
        found = spread(TARGETS, most)
        assert len(found) == most
        assert sorted(found, key=TARGETS.index) == found
        assert {"start", "training", "embedding"} <= set(found)
    assert spread(TARGETS, len(TARGETS)) == spread(TARGETS, 99) == list(TARGETS)


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
