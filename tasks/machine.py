"""What this machine has: cores that are really there, GPUs, a full disk; and who hears its Ctrl-C."""

import errno
import gc
import math
import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from pathlib import Path

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FULL_WORDS = re.compile(
    r"no space left|disk quota exceeded|file too large|os error (28|122|27)\b", re.IGNORECASE
)
"""What the system says, whichever library passes it on: not all of them keep the error's number."""
GPU_DEVICES = ("/proc/driver/nvidia/gpus", "/dev/nvidiactl", "/dev/dxg", "/dev/kfd")
"""One of these is there where a GPU that torch could use is: NVIDIA's, in containers or WSL too, or AMD's."""
MANY_OBJECTS = 100_000
"""Made between two searches for garbage. By Python's 700 a fifth of the time to import torch goes on them."""


def collect_seldom() -> None:
    """Let this process search for garbage less often than Python does by itself; it starts faster."""
    gc.set_threshold(MANY_OBJECTS)


def usable_cores() -> int:
    """Cores that this process may use: its affinity, cut by its control group's quota."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = Path("/sys/fs/cgroup/cpu.max")
    if quota.is_file():
        limit, period = quota.read_text().split()
        if limit != "max":
            cores = min(cores, max(1, math.ceil(int(limit) / int(period))))
    return cores


def usable_gpus() -> int:
    """GPUs that torch may use. Where the system shows none, torch, which takes seconds, is not imported."""
    if not any(Path(device).exists() for device in GPU_DEVICES):
        return 0
    import torch

    return torch.cuda.device_count()


def is_disk_full(error: BaseException) -> bool:
    """Whether an error, of the system or of a library that passes its words on, says so."""
    return (isinstance(error, OSError) and error.errno in _FULL) or says_disk_full(str(error))


def says_disk_full(text: str) -> bool:
    """Whether these are the system's words for it, as another program printed them."""
    return _FULL_WORDS.search(text) is not None


@contextmanager
def starting_deaf(*numbers: int) -> Iterator[None]:
    """Within, processes are started that do not hear these signals, Ctrl-C if none is named.

    A terminal sends Ctrl-C to all that it shows, and many that end services SIGTERM to a whole process
    group; whoever starts the processes hears it, and tells them. A blocked signal stays blocked in a child,
    while one that is ignored would not stay so in a server or a training that has a handler of its own.
    """
    # Started by the first of them otherwise, it would unblock the signals.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers or (signal.SIGINT,))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
