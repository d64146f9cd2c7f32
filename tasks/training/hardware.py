"""What trains, and how: threads, precision, the device's name, its peak, and the memory that was used."""

import os
import resource
import sys
from typing import Literal

import torch
from transformers import TrainingArguments

from tasks.machine import usable_cores
from tasks.training.bf16 import fast_bf16

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


def take_one_gpu(arguments: TrainingArguments) -> None:
    """Let one process train on one GPU, however many it sees.

    On several the Trainer would split batches among threads, which cannot know which rows of theirs are
    masked. It asks for `n_gpu`, which can be set by its private name alone.
    """
    arguments._n_gpu = min(arguments.n_gpu, 1)


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
