"""A disk that is full at any stage gives one clear error, and leaves the store as it was."""

import json
import multiprocessing
import os
import resource
from pathlib import Path

from tasks.store.care import sweep
from tasks.store.folders import Store
from tests.flows.conftest import MADE
from tests.soak import SETTINGS, orphans


def run_on_a_full_disk(parameters: dict, results: Path) -> None:
    """Run once for each stage, with files of at most a few hundred bytes from that stage on."""
    # The test's own captured output is a file too, and would be cut.
    for stream in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    from flows.adapt import adapt
    from tasks.settings import Settings
    from tasks.stage.target import Target

    arguments = Settings.model_validate(parameters).as_parameters()
    found: dict[str, list[str]] = {}
    full = ""

    def filling(method, stages):
        """The method of `Target`, before which the disk fills up in the chosen stage."""

        def fill(target, *arguments, **named):
            if target.stage == full and target.stage in stages:
                resource.setrlimit(resource.RLIMIT_FSIZE, (400, resource.RLIM_INFINITY))
            return method(target, *arguments, **named)

        return fill

    # The limit would kill Git, which a disk that is full does not, so it comes after Git here.
    Target.building = filling(Target.building, set(MADE) - {"documents"})
    Target.commit = filling(Target.commit, {"documents"})
    for stage in MADE:
        full = stage
        try:
            adapt(**arguments)
            found[stage] = ["no error", ""]
        except Exception as error:  # noqa: BLE001 - told to the test, which knows what it should be
            found[stage] = [type(error).__name__, str(error)]
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        results.write_text(json.dumps(found))
    full = ""
    found["afterwards"] = [adapt(**arguments).model["uri"], ""]
    results.write_text(json.dumps(found))


def test_a_full_disk_at_each_stage(repositories, server_url, tmp_path, monkeypatch):
    """The error names the space that lacks; nothing torn is stored, and with space the run goes on."""
    monkeypatch.setenv("PREFECT_API_URL", server_url)
    parameters = SETTINGS | {
        "train": SETTINGS["train"] | {"max_steps": 20, "save_steps": 10},
        "source": {"url": repositories.url("docs.git")},
        "store": str(tmp_path / "store"),
        "work_dir": str(tmp_path / "work"),
    }
    results = tmp_path / "results.json"
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=run_on_a_full_disk, args=(parameters, results))
    process.start()
    process.join()
    found = json.loads(results.read_text())
    uri, _ = found.pop("afterwards")
    assert {stage: error for stage, (error, _) in found.items()} == dict.fromkeys(MADE, "StoreError")
    for stage, (_, message) in found.items():
        assert "no space left" in message, stage
        assert "free some" in message, stage
    store = Store(str(tmp_path / "store"))
    assert store.manifest(uri) is not None
    sweep(store, older_than=0)
    assert not orphans(store)
