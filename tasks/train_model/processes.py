"""How many processes train on this machine: known before a run, since it is part of its key."""

from tasks.errors import UserError
from tasks.machine import usable_gpus
from tasks.train_model.settings import TrainSettings


def processes_of(settings: TrainSettings) -> int:
    """The processes that train on this machine: as many as asked for, or one a GPU.

    Raises:
        UserError: more are asked for than there are GPUs.
    """
    gpus = usable_gpus()
    if gpus and settings.processes > gpus:
        raise UserError(
            f"train.processes is {settings.processes}, but this machine has {gpus} GPUs: "
            f"choose {gpus} or less, or 0"
        )
    return settings.processes or max(gpus, 1)
