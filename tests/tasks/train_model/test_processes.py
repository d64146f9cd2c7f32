"""The number of processes that train is the one in the key, on every machine."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tasks.errors import UserError
from tasks.models.pinned import resolve_model
from tasks.models.settings import ModelSettings
from tasks.records import TokenizedDataset
from tasks.stage.target import Target
from tasks.store.folders import Store
from tasks.store.manifest import Manifest
from tasks.train_model import everywhere, processes
from tasks.train_model.job import TrainJob
from tasks.train_model.settings import TrainSettings
from tasks.train_model.stage import recipe, train_model
from tasks.training import watch
from tests.tasks.train_model.conftest import TINY

BASE = resolve_model(ModelSettings(from_scratch=TINY))


def on_machine(monkeypatch: pytest.MonkeyPatch, gpus: int) -> None:
    """Let this machine have so many GPUs."""
    monkeypatch.setattr(processes, "usable_gpus", lambda: gpus)


def keyed(asked: int, **more: Any) -> dict[str, Any]:
    """What goes into the key where so many processes are asked for."""
    return recipe(BASE, TrainSettings(processes=asked, **more))


@pytest.mark.parametrize(
    ("gpus", "asked", "number"),
    [(0, 0, 1), (0, 1, 1), (0, 2, 2), (1, 0, 1), (1, 1, 1), (4, 0, 4), (4, 1, 1), (4, 2, 2), (1, 4, 4)],
)
def test_what_is_keyed_is_what_trains(
    monkeypatch: pytest.MonkeyPatch, gpus: int, asked: int, number: int
) -> None:
    """The key has the number of processes that this machine makes of the setting, and 0 stands for one."""
    on_machine(monkeypatch, gpus)
    assert processes.processes_of(TrainSettings(processes=asked)) == number
    assert keyed(asked) == keyed(0) | {"processes": 0 if number == 1 else number}


def test_one_process_keeps_its_key() -> None:
    """A training by one process, on whatever machine, is what it was before several were counted."""
    assert keyed(1) == {"model": BASE.fingerprint, **TrainSettings().keyed()}


@pytest.mark.parametrize(("before", "after"), [(4, 0), (0, 4)])
def test_the_stage_trains_as_many_as_were_keyed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tokenized: Path, before: int, after: int
) -> None:
    """Also where the machine shows another number of GPUs by the time of the training than in the plan."""
    on_machine(monkeypatch, before)
    settings, store = TrainSettings(), Store(str(tmp_path / "store"))
    windows = TokenizedDataset(
        uri=store.uri("tokenized", "t"),
        key="t",
        vocab_size=125,
        max_seq_length=64,
        train_windows=50,
        eval_windows=20,
        corpus_tokens=1,
        train_document_tokens=1,
        train_tokens=1,
        eval_tokens=1,
    )
    store.commit(tokenized, windows.uri, Manifest(stage="tokenized", key="t", record=windows.as_json()))
    target = Target(
        stage="training",
        key="k",
        uri=store.uri("training", "k"),
        action="run",
        why="new",
        store_url=store.url,
        work_dir=str(tmp_path / "work"),
        settings=recipe(BASE, settings),
    )
    on_machine(monkeypatch, after)
    asked: list[int] = []

    def ask(job: TrainJob, **_: Any) -> None:
        asked.append(processes.processes_of(job.settings))
        raise KeyboardInterrupt

    monkeypatch.setattr(everywhere, "train_everywhere", ask)
    monkeypatch.setattr(watch, "TrainingWatch", lambda: None)
    with pytest.raises(KeyboardInterrupt):
        train_model.make(target, windows, BASE, settings)
    assert asked == [max(before, 1)]


def test_the_processes_that_are_launched_are_those(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tokenized: Path
) -> None:
    """One a GPU, each told so by the launcher; more than there are GPUs are refused before any starts."""
    launched: list[int] = []
    monkeypatch.setattr(everywhere, "launch", lambda what, **_: launched.append(what.processes))
    on_machine(monkeypatch, 4)

    def train(asked: int) -> None:
        job = TrainJob(
            data=tokenized,
            output=tmp_path,
            checkpoints=tmp_path,
            settings=TrainSettings(processes=asked),
            scratch=TINY,
        )
        everywhere.train_everywhere(job, keeper=None)  # type: ignore[arg-type] - nothing is kept

    train(0)
    train(2)
    assert launched == [4, 2]
    with pytest.raises(UserError, match=r"train\.processes is 5, but this machine has 4 GPUs: choose 4"):
        train(5)
    assert launched == [4, 2]


def test_a_plan_without_gpus_imports_no_torch(tmp_path: Path) -> None:
    """Where the system shows no GPU, counting them costs a plan nothing: torch takes seconds to import."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("text " * 100)
    chosen = {
        "source": {"folder": str(tmp_path / "docs")},
        "model": {"from_scratch": {}},
        "store": str(tmp_path / "store"),
    }
    code = (
        "import sys\n"
        "from tasks import machine\n"
        "machine.GPU_DEVICES = ()\n"
        "from tasks.run.plan import make_plan\n"
        "from tasks.settings import Settings\n"
        f"plan = make_plan(Settings.model_validate({chosen!r}))\n"
        "assert plan.targets['training'].settings['processes'] == 0\n"
        "print('torch' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == "False"
