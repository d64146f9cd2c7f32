"""How many processes train on this machine: known before a run, since it is part of its key."""

from collections.abc import Mapping
from typing import Any

from tasks.errors import UserError
from tasks.machine import usable_gpus
from tasks.train_model.settings import TrainSettings


def processes_of(settings: TrainSettings) -> int:
    """The processes that train on this machine: as many as asked for, or one a GPU."""
    return settings.processes or max(usable_gpus(), 1)


def keyed_processes(settings: TrainSettings) -> int:
    """The same as it goes into the key: 0 for one process, as it did before several were counted."""
    processes = processes_of(settings)
    return 0 if processes == 1 else processes


def settings_as_keyed(settings: TrainSettings, keyed: Mapping[str, Any]) -> TrainSettings:
    """The settings with the number of processes that is in the key, whatever the machine looks like by now.

    Args:
        keyed: what went into the key, as the recipe gave it.
    """
    return settings.model_copy(update={"processes": keyed["processes"] or 1})


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
