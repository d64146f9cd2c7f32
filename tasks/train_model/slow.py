"""What was asked for and makes a training slower than this machine could be, with figures.

Nothing is changed: precision and dropout change what is learnt, and who asked for them may have a reason.
"""

import os

from tasks.machine import usable_cores, usable_gpus
from tasks.stage.log import stage_logger
from tasks.train_model.settings import TrainSettings

DROPOUT_COSTS = 1.2
"""How many times as fast training was without attention's dropout, on two cores: 2,014 to 1,641 tokens/s."""


def warn_of_slow_settings(settings: TrainSettings, processes: int) -> None:
    """Say in the log which settings keep `processes` on this machine from being as fast as they could be."""
    for words in [*slow_precision(settings), *slow_on_cpu(settings, processes), *idle_gpus(processes)]:
        stage_logger().warning("Slower than need be: %s", words)


def slow_precision(settings: TrainSettings) -> list[str]:
    """Whether the other precision is faster, by a product that is timed where that is not known."""
    from tasks.training.bf16 import WORTH, fast_bf16, measured_speedup

    if settings.precision == "auto" or fast_bf16() == (settings.precision == "bf16"):
        return []
    times = measured_speedup()
    other, times = ("fp32", 1 / times) if settings.precision == "bf16" else ("bf16", times)
    if times < WORTH:
        return []
    return [f"train.precision is {settings.precision}, and {other} is {times:.2g} times as fast here; "
            "auto takes the faster one"]  # fmt: skip


def slow_on_cpu(settings: TrainSettings, processes: int) -> list[str]:
    """What costs time without a GPU: few threads, a compiler that gains nothing, dropout in attention."""
    if usable_gpus():
        return []
    found = []
    cores, told = usable_cores(), os.environ.get("OMP_NUM_THREADS", "")
    if told.isdecimal() and 0 < int(told) * processes < cores:
        found.append(f"OMP_NUM_THREADS is {told}, so that {int(told) * processes} of {cores} cores compute")
    if settings.torch_compile:
        found.append("train.torch_compile takes a minute or more on a CPU, and gained nothing where measured")
    if settings.attention_dropout != 0:
        found.append(
            f"train.attention_dropout is {settings.attention_dropout}, and attention without it has a kernel "
            f"that made training {DROPOUT_COSTS} times as fast where it was measured"
        )
    return found


def idle_gpus(processes: int) -> list[str]:
    """Whether GPUs stand idle: one process trains on one GPU."""
    if (gpus := usable_gpus()) <= processes:
        return []
    return [f"train.processes is {processes}, so that {processes} of {gpus} GPUs compute"]
