"""What this machine has is asked of the system, and no more than that is imported."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tasks import machine


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
