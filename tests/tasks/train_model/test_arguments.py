"""A training's settings as transformers' Trainer takes them."""

from pathlib import Path

from transformers import TrainingArguments

from tasks.train_model.arguments import training_arguments
from tasks.train_model.job import TrainJob
from tasks.train_model.settings import TrainSettings
from tasks.training.hardware import take_one_gpu


def test_one_process_takes_one_gpu(tmp_path: Path) -> None:
    """Of several GPUs one is used, so that a batch is what was asked for and is not split among threads."""
    arguments = TrainingArguments(
        output_dir=str(tmp_path), use_cpu=True, per_device_train_batch_size=4, report_to=[]
    )
    arguments._n_gpu = 8  # what a machine with eight makes of it
    assert (arguments.n_gpu, arguments.train_batch_size) == (8, 32)
    take_one_gpu(arguments)
    assert (arguments.n_gpu, arguments.train_batch_size) == (1, 4)


def test_no_gpu_stays_none(tmp_path: Path) -> None:
    """Where there is none, the Trainer is not told of one."""
    job = TrainJob(data=tmp_path, output=tmp_path, checkpoints=tmp_path, settings=TrainSettings())
    arguments = training_arguments(job, 10, 4, evaluating=False)
    assert arguments.n_gpu <= 1
    arguments._n_gpu = 0
    take_one_gpu(arguments)
    assert arguments.n_gpu == 0
