"""A training's settings as transformers' Trainer takes them, and what a step costs."""

import math

import torch
from transformers import TrainingArguments
from transformers.modeling_utils import PreTrainedModel

from tasks.train_model.batches.windows import Windows
from tasks.train_model.job import TrainJob
from tasks.training.hardware import take_one_gpu
from tasks.training.processes import ranks


def training_arguments(job: TrainJob, total: int, batch: int, *, evaluating: bool) -> TrainingArguments:
    """The settings as transformers' Trainer takes them, for `total` steps of `batch` windows a device."""
    settings = job.settings
    evaluating = evaluating and settings.eval_steps > 0
    on_cpu = not torch.cuda.is_available()
    sharded = settings.parallelism == "fsdp" and ranks.ranks() > 1
    arguments = TrainingArguments(
        output_dir=str(job.checkpoints),
        max_steps=total,
        per_device_train_batch_size=batch,
        gradient_accumulation_steps=settings.gradient_accumulation_steps,
        learning_rate=settings.learning_rate,
        warmup_steps=math.ceil(settings.warmup_share * total),
        lr_scheduler_type=settings.lr_scheduler_type,
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_grad_norm,
        optim="adamw_torch_fused",
        seed=settings.seed,
        torch_compile=settings.torch_compile,
        save_steps=settings.save_steps,
        save_total_limit=settings.save_total_limit,
        logging_steps=settings.logging_steps,
        eval_strategy="steps" if evaluating else "no",
        eval_steps=settings.eval_steps if evaluating else None,
        dataloader_num_workers=settings.dataloader_num_workers,
        # `trackers.py` calls them, so that none can end the run.
        report_to=[],
        use_cpu=on_cpu,
        ddp_backend="gloo" if on_cpu and ranks.ranks() > 1 else None,
        ddp_find_unused_parameters=False,
        fsdp=sharded,
        fsdp_config={"version": 2} if sharded else None,
        disable_tqdm=True,
        log_level="error",
        remove_unused_columns=False,
        logging_nan_inf_filter=False,
    )
    take_one_gpu(arguments)
    return arguments


def training_flops(model: PreTrainedModel, windows: Windows, rate: float) -> float:
    """Operations of one training step for one token: 6 a weight of every product that it takes part in.

    Twice a weight forward and four times backward (Kaplan et al., 2020), plus attention's scores; the head
    counts at the masked tokens only, since no more is computed.
    """
    encoder = sum(m.weight.numel() for m in model.base_model.modules() if isinstance(m, torch.nn.Linear))
    inside = {id(m) for m in model.base_model.modules()}
    head = sum(
        m.weight.numel() for m in model.modules() if isinstance(m, torch.nn.Linear) and id(m) not in inside
    )
    config = model.config
    layers = getattr(config, "num_hidden_layers", getattr(config, "n_layers", 0))
    attention = 12 * layers * getattr(config, "hidden_size", 0) * float(windows.lengths.mean())
    return 6 * (encoder + rate * head) + attention
