"""bf16 is timed only where the processor may be fast at it, and once."""

import json
import logging
import math
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from tasks.stage.log import stage_logger
from tasks.training import bf16

NAME = "Some CPU @ 2 GHz"


class Timings:
    """Counts how often bf16 is timed, and says what is found."""

    def __init__(self) -> None:
        self.speedup, self.count = 2.0, 0

    def __call__(self) -> float:
        """Time it, so to say."""
        self.count += 1
        return self.speedup


@pytest.fixture
def timings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Timings:
    """A machine without GPU, a home of its own, and a stopwatch that is watched."""
    timings = Timings()
    stage_logger()  # where Prefect is imported, its first logger takes the handlers that are there away
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(bf16, "bf16_speedup", timings)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return timings


def on_processor(monkeypatch: pytest.MonkeyPatch, *flags: str, name: str = NAME) -> None:
    """Let this machine have such a processor, by torch's word."""
    told: dict[str, Any] = {"architecture": "x86_64", "cpu_name": name, "avx2": True, "amx_int8": False}
    monkeypatch.setattr(
        torch.cpu, "get_capabilities", lambda: told | dict.fromkeys(flags, True), raising=False
    )


def on_linux(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str | None) -> None:
    """Let torch be too old to know, and Linux say this of the processor, or nothing."""
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    monkeypatch.setattr(bf16, "CPUINFO", tmp_path / "cpuinfo")
    if text is not None:
        (tmp_path / "cpuinfo").write_text(text)


def test_without_the_flags_nothing_is_timed(
    timings: Timings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A processor without bf16 instructions is asked, not timed: that would take it 19 s."""
    on_processor(monkeypatch)
    with caplog.at_level(logging.INFO, "docs_mlm"):
        assert not bf16.fast_bf16()
    assert timings.count == 0
    assert f"({NAME}) has no instructions for bf16" in caplog.text


@pytest.mark.parametrize("flag", ["avx512_bf16", "amx_bf16", "bf16", "sve_bf16"])
@pytest.mark.parametrize(("speedup", "fast"), [(2.0, True), (1.1, False)])
def test_with_a_flag_it_is_timed_once(
    timings: Timings,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    flag: str,
    speedup: float,
    fast: bool,
) -> None:
    """What the stopwatch finds is told, and remembered for the next training."""
    on_processor(monkeypatch, flag)
    timings.speedup = speedup
    with caplog.at_level(logging.INFO, "docs_mlm"):
        assert bf16.fast_bf16() is fast
        assert f"bf16 is {speedup:.2g} times as fast as fp32" in caplog.text
        assert bf16.fast_bf16() is fast
    assert timings.count == 1
    assert "bf16.json remembers" in caplog.text


def test_another_processor_or_torch_is_timed_anew(timings: Timings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home that several machines share holds an answer for each of them, and one for each torch."""
    on_processor(monkeypatch, "bf16")
    assert bf16.fast_bf16()
    timings.speedup = 0.5
    on_processor(monkeypatch, "bf16", name="Another CPU")
    assert not bf16.fast_bf16()
    on_processor(monkeypatch, "bf16")
    assert bf16.fast_bf16()
    assert timings.count == 2
    monkeypatch.setattr(torch, "__version__", "9.0")
    assert not bf16.fast_bf16()
    assert timings.count == 3


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "null", '{"KEY": "yes"}', '{"KEY": null}', "\0", "[" * 99_999]
)
def test_a_file_that_is_not_whole_is_written_anew(
    timings: Timings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str
) -> None:
    """Whatever stands there instead is no error, and no answer."""
    on_processor(monkeypatch, "bf16")
    file = tmp_path / "cache" / "docs-mlm" / "bf16.json"
    file.parent.mkdir(parents=True)
    key = f"{NAME}, torch {torch.__version__}"
    file.write_text(content.replace("KEY", key))
    assert bf16.fast_bf16()
    assert bf16.fast_bf16()
    assert timings.count == 1
    assert json.loads(file.read_text()) == {key: True}
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize("kind", ["no folder", "a folder in its place", "no home"])
def test_where_nothing_can_be_kept_it_is_timed_again(
    timings: Timings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str
) -> None:
    """A cache that takes no files, and a user without a home, train all the same."""
    on_processor(monkeypatch, "bf16")
    if kind == "no folder":
        (tmp_path / "cache").write_text("a file, where even root can make no folder")
    elif kind == "a folder in its place":
        (tmp_path / "cache" / "docs-mlm" / "bf16.json" / "full").mkdir(parents=True)
    else:
        monkeypatch.delenv("XDG_CACHE_HOME")
        monkeypatch.setattr(Path, "home", _homeless)
    assert bf16.fast_bf16()
    assert bf16.fast_bf16()
    assert timings.count == 2


def _homeless() -> Path:
    raise RuntimeError("Could not determine home directory.")


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes into every folder")
def test_a_folder_that_is_read_only_is_no_error(
    timings: Timings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its user has the answer timed again."""
    on_processor(monkeypatch, "bf16")
    (tmp_path / "cache").mkdir(mode=0o500)
    assert bf16.fast_bf16()
    assert bf16.fast_bf16()
    assert timings.count == 2


@pytest.mark.parametrize(
    ("text", "name", "count"),
    [
        ("model name\t: Old CPU\nflags\t\t: fpu avx2 avx512f\n", "Old CPU", 0),
        ("model name\t: New CPU\nflags\t\t: fpu avx512_bf16 avx512f\n", "New CPU", 1),
        ("processor\t: 0\nFeatures\t: fp asimd svebf16 i8mm bf16\n", "", 1),
        ("processor\t: 0\nFeatures\t: fp asimd\n", "", 0),
        ("nothing of use", "", 1),
        (None, "", 1),
    ],
)
def test_an_older_torch_takes_linuxs_word(
    timings: Timings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str | None, name: str, count: int
) -> None:
    """Where nobody says what the processor can do, the stopwatch decides."""
    on_linux(monkeypatch, tmp_path, text)
    assert bf16.processor()[0] == name or not name
    assert bf16.fast_bf16() is bool(count)
    assert timings.count == count


def test_torch_tells_of_this_processor() -> None:
    """The public call has a name to remember it by, and the flags under the names that are looked for."""
    if not hasattr(torch.cpu, "get_capabilities"):
        pytest.skip("this torch does not tell")
    told = torch.cpu.get_capabilities()
    name, flags = bf16.processor()
    assert name
    assert flags
    if told["architecture"] == "x86_64":
        assert {"avx512_bf16", "amx_bf16"} <= told.keys()
    if bf16.CPUINFO.is_file() and told["architecture"] == "x86_64":
        assert ("avx512_bf16" in flags) == (" avx512_bf16 " in bf16.CPUINFO.read_text())


def test_the_timing_itself_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """It gives a share, and in software, where one product takes seconds, it tries but two."""
    assert 0 < bf16.bf16_speedup() < math.inf
    clock, products = [0.0], []

    def slow(left: torch.Tensor, _: torch.Tensor) -> None:
        products.append(left.dtype)
        clock[0] += 2.7 if left.dtype is torch.bfloat16 else 0.01

    monkeypatch.setattr(torch, "mm", slow)
    monkeypatch.setattr(bf16.time, "perf_counter", lambda: clock[0])
    assert bf16.bf16_speedup() == pytest.approx(0.01 / 2.7)
    assert products.count(torch.bfloat16) == 2
