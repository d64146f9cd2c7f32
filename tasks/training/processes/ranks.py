"""The processes that train together: which of them this one is, and what they know in common.

Alone, everything here is free: nothing is sent, and no process group is needed.
"""

import os
from typing import TypeVar

import torch
import torch.distributed as dist

T = TypeVar("T")


def rank() -> int:
    """This process's number among those that train, as torch's launcher sets it; 0 alone."""
    return int(os.environ.get("RANK", "0"))


def local_rank() -> int:
    """This process's number on its machine, which is that of its GPU."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def ranks() -> int:
    """Processes that train together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def local_ranks() -> int:
    """Those of them on this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def total(values: torch.Tensor) -> torch.Tensor:
    """The sum of every process's `values`."""
    if dist.is_initialized():
        dist.all_reduce(values)
    return values


def from_first(value: T) -> T:
    """What the first process has, in all of them: parallel arithmetic may differ in the last bit."""
    if not dist.is_initialized():
        return value
    box = [value]
    dist.broadcast_object_list(box, src=0)
    return box[0]
