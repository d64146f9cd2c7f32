"""A job on as many processes as its settings ask for: in this one, or in several that are launched."""

from dataclasses import replace
from typing import Any

from tasks.machine import usable_gpus
from tasks.train_model.job import TrainJob, TrainReport
from tasks.train_model.machines import check_gpus, processes_of
from tasks.train_model.settings import TrainSettings
from tasks.train_model.slow import warn_of_slow_settings
from tasks.training.keeper import Keeper
from tasks.training.processes.launch import Launch, launch

WORK = "tasks.train_model.training:train_json"


def train_everywhere(job: TrainJob, *, keeper: Keeper, on_progress: Any = None) -> TrainReport | None:
    """Train on all the processes that the settings ask for; None on a machine that is not the first.

    Raises:
        UserError: as `train`; or more processes than GPUs.
        DocsMlmError: a process died.
    """
    processes, settings = processes_of(job.settings), job.settings
    check_gpus(processes)
    warn_of_slow_settings(settings, processes)
    if processes == 1 and settings.nodes == 1:
        from tasks.train_model.training import train

        return train(job, keeper=keeper, on_progress=on_progress)
    what = Launch(
        work=WORK,
        job=replace(job, settings=same_precision(settings)).dump(),
        folder=job.checkpoints,
        processes=processes,
        nodes=settings.nodes,
        rdzv_endpoint=settings.rdzv_endpoint,
    )
    report = launch(what, keeper=keeper, on_progress=on_progress)
    return None if report is None else TrainReport.load(report)


def same_precision(settings: TrainSettings) -> TrainSettings:
    """The settings with the precision of all processes of this machine.

    On a CPU each would time it while the others do, and might find another.
    """
    if settings.precision != "auto" or usable_gpus():
        return settings
    from tasks.training.hardware import choose_precision, set_threads

    set_threads()
    return settings.model_copy(update={"precision": choose_precision(settings.precision)})
