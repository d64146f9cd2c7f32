"""`docs-mlm several` as a process: a model of each source or one of all, what it prints, and how it stops."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from flows.command.parser import VERBS
from tasks.models.published import list_versions
from tasks.store.folders import Store
from tests.flows.command.test_stopping import LONG, processes_of
from tests.flows.conftest import make_documents
from tests.run_process import start_run
from tests.soak import SETTINGS
from tests.waiting import until

SHORT = SETTINGS | {"train": SETTINGS["train"] | {"max_steps": 2}}


@pytest.fixture
def folders(tmp_path):
    """Three folders: two of documents, one of nothing to learn from."""
    for seed, name in enumerate(("guides", "manuals"), 1):
        for file, text in make_documents(12, seed).items():
            (tmp_path / name / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name / file).write_text(text)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "a.md").write_text("short")
    return tmp_path


@pytest.fixture
def several(folders):
    """Start the command on some folders' machine."""

    def start(settings: dict, *arguments: str, **variables: str):
        file = folders / "settings.yaml"
        file.write_text(json.dumps(settings))
        places = ["--store", str(folders / "store")]
        return start_run([str(file), *places, *arguments], folders / "machine", "several", **variables)

    return start


def checkpoints(folders) -> set[str]:
    """The trainings that have stored one."""
    found = (folders / "store" / "checkpoints").glob("*/step-*/manifest.json")
    return {path.parents[1].name for path in found}


def test_a_model_of_each_source(several, folders):
    """On one temporary server, the process's own: two models are published, and the third source is named."""
    names = ("guides", "empty", "manuals")
    ended = several(SHORT, "--sources", *(str(folders / name) for name in names), "--at-once", "2")
    assert ended.wait() == 1, ended.text()
    log = ended.text()
    assert log.count("Starting temporary server") == 1, log
    assert log.splitlines()[-1].startswith("error: ") or "error: 1 of 3 sources failed:\n2. empty: " in log
    assert "Traceback" not in log
    printed = json.loads(ended.out.read_text())
    assert printed["corpus"] == "each"
    states = [(one["name"], one["state"], one["completed"]) for one in printed["sources"]]
    assert states == [
        ("1. guides", "Completed", True),
        ("2. empty", "Failed", False),
        ("3. manuals", "Completed", True),
    ]
    assert "none of 1 documents is left" in printed["sources"][1]["message"]
    assert len(list_versions(Store(printed["store"]))) == 2


def test_one_model_of_all_sources_and_their_texts(several, folders, server_url):
    """Sources of a file become one model, and the texts of all are written to one file, then and later."""
    texts = folders / "texts.json"
    chosen = SHORT | {
        "corpus": "joint",
        "sources": [{"folder": str(folders / "guides")}, str(folders / "manuals")],
        "publish": {"export_texts": str(texts)},
    }
    for _ in range(2):
        ended = several(chosen, PREFECT_API_URL=server_url)
        assert ended.wait() == 0, ended.text()
        assert "Starting temporary server" not in ended.text()
        assert [one["completed"] for one in json.loads(ended.out.read_text())["sources"]] == [True, True]
        assert len(json.loads(texts.read_text())) == 24
        texts.unlink()
    (version,) = list_versions(Store(str(folders / "store")))
    assert version.documents == 24


def test_ctrl_c_is_told_to_the_sources_once(several, folders):
    """The terminal's signal reaches only the parent: its child saves a checkpoint, and nothing is left."""
    attempt = several(LONG, "--sources", str(folders / "guides"))
    attempt.wait_for("Stored checkpoint")
    attempt.interrupt(signal.SIGINT)
    assert attempt.wait() == 130, attempt.text()
    saved = int(re.search(r"Asked to stop: saved step (\d+)", attempt.text())[1])
    assert "run the same command again to go on from the newest checkpoint" in attempt.text()
    assert attempt.out.read_text() == ""
    until(lambda: not processes_of(folders / "machine"))
    checkpoints = sorted(path.name for path in Path(folders / "store" / "checkpoints").glob("*/step-*"))
    assert checkpoints[-1].startswith(f"step-{saved:010d}-")


def test_cancelling_is_one_story_for_parent_and_sources(several, folders, server_url):
    """A source that is cancelled saves and ends so, the others train on; with the parent, all end so.

    Prefect's worker signals the whole process group, so that a source hears it from its parent too.
    """

    def call(path, body):
        return httpx.post(f"{server_url}{path}", json=body, timeout=60).raise_for_status().json()

    known = {run["id"] for run in call("/flow_runs/filter", {})}

    def states():
        new = [run for run in call("/flow_runs/filter", {}) if run["id"] not in known]
        return {(run["tags"] or ["parent"])[0]: (run["id"], run["state_name"]) for run in new}

    def cancel(name):
        run = states()[name][0]
        call(f"/flow_runs/{run}/set_state", {"state": {"type": "CANCELLING"}, "force": True})

    folder_names = [str(folders / name) for name in ("guides", "manuals")]
    attempt = several(LONG, "--sources", *folder_names, "--at-once", "2", PREFECT_API_URL=server_url)
    until(lambda: attempt.text().count("Stored checkpoint") and len(checkpoints(folders)) == 2)
    cancel("source: 1. guides")
    until(lambda: states()["source: 1. guides"][1] == "Cancelled")
    attempt.wait_for("Asked to stop: saved step")
    assert states()["source: 2. manuals"][1] == "Running"
    cancel("parent")
    attempt.interrupt(signal.SIGTERM)
    assert attempt.wait() == 143, attempt.text()
    assert {name: state for name, (_, state) in states().items()} == {
        "source: 1. guides": "Cancelled",
        "source: 2. manuals": "Cancelled",
        "parent": "Cancelled",
    }
    assert attempt.text().count("Asked to stop: saved step") == 2
    until(lambda: not processes_of(folders / "machine"))


def test_sources_end_with_a_parent_that_is_killed(several, folders, server_url):
    """SIGKILL to the parent alone: its source saves a checkpoint and ends, and nobody trains on."""
    attempt = several(LONG, "--sources", str(folders / "guides"), PREFECT_API_URL=server_url)
    until(lambda: checkpoints(folders))
    attempt.process.kill()
    attempt.wait()
    until(lambda: not processes_of(folders / "machine"))
    assert "Asked to stop: saved step" in attempt.text()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "error: there is no source: give --sources"),
        (["--sources", "{url: https://a/b, folder: /c}"], "error: source 1: give one source, not 2"),
        (
            ["--sources", "{guides}", "--train.sead", "1"],
            "there is no --train.sead: did you mean --train.seed?",
        ),
        (["absent.yaml"], "error: there is no settings file 'absent.yaml'"),
    ],
)
def test_a_mistake_ends_before_anything_is_started(arguments, expected, command, folders):
    """Exit code 2 and one line."""
    given = [str(folders / "guides") if argument == "{guides}" else argument for argument in arguments]
    code, out, err = command("several", *given, "--store", folders / "store")
    assert (code, out) == (2, "")
    assert expected in err
    assert len(err.splitlines()) <= 2
    assert not (folders / "store").exists()


@pytest.mark.parametrize(("module", "verb"), [("adapt", "run"), ("adapt_many", "several"), ("demo", "demo")])
def test_a_flows_module_says_what_to_type(module, verb, tmp_path):
    """Run as a program, it ends with 1 and names the command's verb, which is there."""
    done = subprocess.run(
        [sys.executable, "-m", f"flows.{module}", "--corpus", "joint"],
        capture_output=True, text=True, check=False,
        env={**os.environ, "PREFECT_HOME": str(tmp_path)},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert f"type `python -m flows.command {verb}` or `docs-mlm {verb}`" in done.stderr
    assert "Traceback" not in done.stderr
    assert verb in {one.name for one in VERBS}
