"""What depends on a machine is what is in the key: the processes, and the size of a step."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tasks.errors import UserError
from tasks.models.pinned import resolve_model
from tasks.models.settings import ModelSettings
from tasks.records import TokenizedDataset
from tasks.stage.target import Target
from tasks.store.folders import Store
from tasks.store.manifest import Manifest
from tasks.train_model import everywhere, machines
from tasks.train_model.job import TrainJob
from tasks.train_model.settings import TrainSettings
from tasks.train_model.stage import recipe, train_model
from tasks.training import watch
from tests.tasks.train_model.conftest import TINY

BASE = resolve_model(ModelSettings(from_scratch=TINY))


def on_machine(monkeypatch: pytest.MonkeyPatch, gpus: int) -> None:
    """Let this machine have so many GPUs."""
    monkeypatch.setattr(machines, "usable_gpus", lambda: gpus)


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
    assert machines.processes_of(TrainSettings(processes=asked)) == number
    same = {"tokens_per_step": 512}
    assert keyed(asked, **same) == keyed(0, **same) | {"processes": 0 if number == 1 else number}


def test_one_process_keeps_its_key() -> None:
    """A training by one process, on whatever machine, is what it was before several were counted."""
    settings = TrainSettings(per_device_train_batch_size=16)
    assert recipe(BASE, settings) == {"model": BASE.fingerprint, **settings.keyed()}


@pytest.mark.parametrize(
    ("gpus", "tokens"), [(0, machines.CPU_TOKENS), (1, machines.GPU_TOKENS), (4, 4 * machines.GPU_TOKENS)]
)
def test_a_step_is_as_large_as_suits_the_device(
    monkeypatch: pytest.MonkeyPatch, gpus: int, tokens: int
) -> None:
    """Its tokens are keyed where they are the device's or asked for, and not where its windows are given."""
    on_machine(monkeypatch, gpus)
    assert keyed(0)["tokens_per_step"] == tokens
    assert keyed(1, tokens_per_step=777)["tokens_per_step"] == 777
    assert "tokens_per_step" not in keyed(1, per_device_train_batch_size=8)


@pytest.mark.parametrize(
    ("tokens", "length", "accumulation", "ranks", "windows"),
    [
        (512, 128, 1, 1, 4),
        (512, 100, 1, 1, 5),
        (512, 512, 1, 1, 1),
        (512, 2048, 1, 1, 1),
        (4096, 128, 2, 4, 4),
    ],
)
def test_a_step_is_shared_by_its_batches(
    tokens: int, length: float, accumulation: int, ranks: int, windows: int
) -> None:
    """Of all devices and accumulated batches it has about the tokens asked for, and one window at least."""
    settings = TrainSettings(tokens_per_step=tokens, gradient_accumulation_steps=accumulation)
    assert machines.batch_of(settings, length, ranks) == windows
    given = TrainSettings(per_device_train_batch_size=7, gradient_accumulation_steps=accumulation)
    assert machines.batch_of(given, length, ranks) == 7


def test_a_step_has_one_size() -> None:
    """Tokens and windows are not both asked for."""
    with pytest.raises(ValidationError, match="tokens_per_step is 512 and per_device_train_batch_size 4"):
        TrainSettings(tokens_per_step=512, per_device_train_batch_size=4)


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
    asked: list[tuple[int, int]] = []

    def ask(job: TrainJob, **_: Any) -> None:
        asked.append((machines.processes_of(job.settings), machines.tokens_of(job.settings)))
        raise KeyboardInterrupt

    monkeypatch.setattr(everywhere, "train_everywhere", ask)
    monkeypatch.setattr(watch, "TrainingWatch", lambda: None)
    with pytest.raises(KeyboardInterrupt):
        train_model.make(target, windows, BASE, settings)
    assert asked == [(max(before, 1), before * machines.GPU_TOKENS or machines.CPU_TOKENS)]


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
