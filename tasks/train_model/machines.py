"""What of a training depends on its machines: the processes and the size of a step.

Both are known before a run, since they are part of its key.
"""

from collections.abc import Mapping
from typing import Any

from tasks.errors import UserError
from tasks.machine import usable_gpus
from tasks.train_model.settings import TrainSettings

CPU_TOKENS, GPU_TOKENS = 512, 4096
"""Tokens of a step where none are asked for. On a CPU it learnt most in the same seconds (the benchmark
`defaults` and its results); each GPU needs more to be busy."""


def processes_of(settings: TrainSettings) -> int:
    """The processes that train on this machine: as many as asked for, or one a GPU."""
    return settings.processes or max(usable_gpus(), 1)


def tokens_of(settings: TrainSettings) -> int:
    """The tokens of a step whose windows are not given: as many as asked for, or as suit the device."""
    of_device = GPU_TOKENS * processes_of(settings) * settings.nodes if usable_gpus() else CPU_TOKENS
    return settings.tokens_per_step or of_device


def keyed_machine(settings: TrainSettings) -> dict[str, int]:
    """The same two as they go into the key: `processes` 0 for one, as it did before several were counted."""
    processes = processes_of(settings)
    keyed = {"processes": 0 if processes == 1 else processes}
    sized = settings.per_device_train_batch_size is not None
    return keyed if sized else keyed | {"tokens_per_step": tokens_of(settings)}


def settings_as_keyed(settings: TrainSettings, keyed: Mapping[str, Any]) -> TrainSettings:
    """The settings with what is in the key, whatever the machine looks like by now.

    Args:
        keyed: what went into the key, as the recipe gave it.
    """
    return settings.model_copy(
        update={
            "processes": keyed["processes"] or 1,
            "tokens_per_step": keyed.get("tokens_per_step", settings.tokens_per_step),
        }
    )


def batch_of(settings: TrainSettings, mean_length: float, ranks: int) -> int:
    """The windows of one batch of one device.

    Args:
        mean_length: tokens of a window, special ones included.
        ranks: processes that train together, on all machines.
    """
    if settings.per_device_train_batch_size is not None:
        return settings.per_device_train_batch_size
    batches = settings.gradient_accumulation_steps * ranks
    return max(1, round(tokens_of(settings) / (mean_length * batches)))


def check_gpus(processes: int) -> None:
    """See that each process has a GPU, on a machine that has any. Results are reused on machines with fewer.

    Raises:
        UserError: there are more processes than GPUs.
    """
    gpus = usable_gpus()
    if gpus and processes > gpus:
        raise UserError(
            f"train.processes is {processes}, but this machine has {gpus} GPUs: choose {gpus} or less, or 0"
        )
