"""A setting that makes a training slower than this machine could be is named, with figures."""

import logging

import pytest
import torch

from tasks.stage.log import stage_logger
from tasks.train_model import slow
from tasks.train_model.settings import TrainSettings
from tasks.train_model.slow import warn_of_slow_settings
from tasks.training import bf16


@pytest.fixture
def warnings(monkeypatch, caplog):
    """What is said of settings on a machine with so many cores and GPUs."""
    stage_logger()  # where Prefect is imported, its first logger takes the handlers that are there away
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)

    def said(processes: int = 1, *, gpus: int = 0, cores: int = 8, **changes) -> list[str]:
        caplog.clear()
        monkeypatch.setattr(slow, "usable_gpus", lambda: gpus)
        monkeypatch.setattr(slow, "usable_cores", lambda: cores)
        with caplog.at_level(logging.WARNING, "docs_mlm"):
            warn_of_slow_settings(TrainSettings(**changes), processes)
        return [record.getMessage().removeprefix("Slower than need be: ") for record in caplog.records]

    return said


@pytest.fixture
def times(monkeypatch):
    """Let bf16 be so many times as fast as fp32, as it is found by the same rule."""

    def be(speedup: float) -> None:
        monkeypatch.setattr(bf16, "fast_bf16", lambda: speedup >= bf16.WORTH)
        monkeypatch.setattr(bf16, "bf16_speedup", lambda rows=512: speedup)

    return be


@pytest.mark.parametrize(
    ("precision", "speedup", "said"),
    [
        (
            "bf16",
            1 / 23,
            "train.precision is bf16, and fp32 is 23 times as fast here; auto takes the faster one",
        ),
        (
            "fp32",
            2.5,
            "train.precision is fp32, and bf16 is 2.5 times as fast here; auto takes the faster one",
        ),
        ("fp32", 0.1, None),
        ("bf16", 2.5, None),
        ("bf16", 1.1, None),
        ("auto", 0.1, None),
        ("auto", 2.5, None),
    ],
)
def test_the_slower_precision_is_named(precision, speedup, said, warnings, times):
    """Where the other one is faster by so much that it pays, the figure is in the log."""
    times(speedup)
    assert warnings(precision=precision) == ([said] if said else [])


def test_the_defaults_are_as_fast_as_can_be(warnings):
    """Nothing is said of them, with a GPU or without."""
    assert warnings() == []
    assert warnings(gpus=1) == []


@pytest.mark.parametrize(
    ("told", "processes", "said"),
    [
        ("2", 1, ["OMP_NUM_THREADS is 2, so that 2 of 8 cores compute"]),
        ("2", 4, []),
        ("8", 1, []),
        ("many", 1, []),
    ],
)
def test_idle_cores_are_named(told, processes, said, warnings, monkeypatch):
    """Threads are counted over all processes."""
    monkeypatch.setenv("OMP_NUM_THREADS", told)
    assert warnings(processes) == said
    assert warnings(processes, gpus=processes) == []


def test_idle_gpus_are_named(warnings):
    """One process uses one of them."""
    assert warnings(1, gpus=8) == ["train.processes is 1, so that 1 of 8 GPUs compute"]
    assert warnings(8, gpus=8) == []


def test_what_costs_time_on_a_cpu_alone_is_named_there(warnings):
    """A compiler, and dropout in attention: None is the checkpoint's own."""
    first, second = warnings(torch_compile=True, attention_dropout=None)
    assert first.startswith("train.torch_compile")
    assert second.startswith("train.attention_dropout is None")
    assert "1.2 times as fast" in second
    assert warnings(gpus=1, torch_compile=True, attention_dropout=None) == []


def test_bf16_in_software_is_timed_on_little(monkeypatch):
    """A processor without the instructions would take 19 s for the whole product."""
    rows: list[int] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(bf16, "bf16_speedup", lambda count=512: rows.append(count) or 1.0)
    for flags in ({"avx2"}, {"avx512_bf16"}, None):
        monkeypatch.setattr(bf16, "processor", lambda flags=flags: ("x", flags))
        bf16.measured_speedup()
    assert rows == [32, 512, 512]
