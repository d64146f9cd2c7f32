"""What the machine can do is tried, not assumed."""

import pytest
import torch

from tasks.training import hardware


def test_threads_are_the_usable_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch gets this process's cores, its share of them among several processes, or what the user says."""
    before = torch.get_num_threads()
    try:
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
        monkeypatch.setattr(hardware, "usable_cores", lambda: 6)
        assert hardware.set_threads() == torch.get_num_threads() == 6
        assert hardware.set_threads(processes=4) == 1
        monkeypatch.setenv("OMP_NUM_THREADS", "2")
        assert hardware.set_threads() == torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_precision_follows_the_timing(monkeypatch: pytest.MonkeyPatch) -> None:
    """`auto` takes bf16 where it is tried and found faster, and a precision asked for is not tried at all."""
    for fast, chosen in ((True, "bf16"), (False, "fp32")):
        monkeypatch.setattr(hardware, "fast_bf16", lambda fast=fast: fast)
        assert hardware.choose_precision("auto") == chosen
    monkeypatch.setattr(hardware, "fast_bf16", None)
    assert hardware.choose_precision("fp32") == "fp32"
    assert hardware.choose_precision("bf16") == "bf16"


def test_memory_is_what_the_process_holds() -> None:
    """Peak memory grows by what is allocated and touched."""
    before = hardware.peak_memory_bytes()
    block = torch.ones(before // 4 + 50_000_000)
    assert hardware.peak_memory_bytes() > before
    assert block.sum() > 0
