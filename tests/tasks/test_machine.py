"""What this machine has is asked of the system, and so is whether its disk is full."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tasks import machine
from tasks.machine import is_disk_full, says_disk_full


def test_usable_cores_are_within_the_machine() -> None:
    """There is at least one core, and no more than the affinity allows."""
    assert 1 <= machine.usable_cores() <= (os.cpu_count() or 1)


def test_without_a_device_no_gpu_is_looked_for() -> None:
    """Where the system shows no device, there are none, and torch is not imported to say so."""
    code = (
        "import sys\n"
        "from tasks import machine\n"
        "machine.GPU_DEVICES = ('/no/such/device',)\n"
        "print(machine.usable_gpus(), 'torch' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["0", "False"]


def test_where_there_is_a_device_torch_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A device may be one that torch cannot use, or be hidden from it: torch has the last word."""
    (tmp_path / "nvidiactl").touch()
    monkeypatch.setattr(machine, "GPU_DEVICES", ("/no/such/device", str(tmp_path / "nvidiactl")))
    monkeypatch.setattr("torch.cuda.device_count", lambda: 3)
    assert machine.usable_gpus() == 3


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_known_by_number_and_by_words(number: int) -> None:
    """A library that keeps the error's number and one that passes on its words alone are both understood."""
    assert is_disk_full(OSError(number, "x"))
    assert is_disk_full(RuntimeError(f"cannot write: {os.strerror(number)}"))
    assert is_disk_full(RuntimeError(f"I/O error: (os error {number})"))
    assert says_disk_full(f"fatal: write error: {os.strerror(number).upper()}")


def test_other_errors_are_no_full_disk() -> None:
    """A permission that lacks, or a number that only begins alike, says nothing of the disk."""
    assert not is_disk_full(OSError(errno.EACCES, "Permission denied"))
    assert not is_disk_full(RuntimeError("os error 281"))
