"""What this machine can do: cores that are really there, whether bf16 is fast, how much memory was used."""

import math
import os
import resource
import sys
import time
from typing import Literal

import torch

from tasks.machine import usable_cores

PEAK_TFLOPS = {
    "H200": 989,
    "H100": 989,
    "GH200": 989,
    "A100": 312,
    "L40S": 362,
    "L4": 121,
    "A10": 125,
    "V100": 125,
}
"""Dense bf16 (V100: fp16) tensor-core peaks of common GPUs, from their makers' data sheets, in TFLOP/s."""

Precision = Literal["bf16", "fp32"]


def set_threads(processes: int = 1) -> int:
    """Let torch use the cores that are there, shared by `processes`; OMP_NUM_THREADS has the last word."""
    threads = int(os.environ.get("OMP_NUM_THREADS") or max(1, usable_cores() // processes))
    torch.set_num_threads(threads)
    return threads


def fast_bf16() -> bool:
    """Whether bf16 pays off here: by the GPU's word, or on a CPU by timing one feed-forward product."""
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    left, right = torch.ones(512, 512), torch.ones(512, 2048)
    return _seconds(left.bfloat16(), right.bfloat16()) * 1.2 < _seconds(left, right)


def _seconds(left: torch.Tensor, right: torch.Tensor) -> float:
    """The best of several timings of one product."""
    best = math.inf
    for _ in range(7):
        start = time.perf_counter()
        torch.mm(left, right)
        best = min(best, time.perf_counter() - start)
    return best


def choose_precision(wanted: Literal["auto", "bf16", "fp32"]) -> Precision:
    """The precision to train in."""
    if wanted != "auto":
        return wanted
    return "bf16" if fast_bf16() else "fp32"


def device_name() -> str:
    """What a person calls the device that trains."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"


def peak_flops() -> float | None:
    """Most bf16 operations a second of this GPU, or None where that is not known."""
    if not torch.cuda.is_available():
        return None
    name = torch.cuda.get_device_name()
    return next((peak * 1e12 for key, peak in PEAK_TFLOPS.items() if key in name), None)


def peak_memory_bytes() -> int:
    """Most memory that was in use: the GPU's allocations, or this process's resident set."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
