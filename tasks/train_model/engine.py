"""One training run: from token windows and a model to a better model, however often it is interrupted.

What makes a run is `TrainJob`, and everything in it survives JSON, so that other processes can run it too.
"""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer, TrainerState, TrainingArguments
from transformers.modeling_utils import PreTrainedModel
from transformers.utils.logging import disable_progress_bar

from tasks.errors import UserError
from tasks.settings import ScratchSettings, TrainSettings
from tasks.stage import stage_logger
from tasks.train_model import hardware
from tasks.train_model.batching import MaskedBatches, Plan, Windows, read_windows
from tasks.train_model.evaluation import evaluate
from tasks.train_model.heads import SparseRows
from tasks.train_model.interrupt import StopRequest, delayed_stop
from tasks.train_model.loading import load_model
from tasks.train_model.masking import Masker
from tasks.train_model.progress import Meter
from tasks.train_model.samples import fill, fill_samples, sample_places
from tasks.train_model.trackers import prepare_trackers
from tasks.train_model.trainer import KeepBest, MlmTrainer, StopGently, SubmitCheckpoints

if TYPE_CHECKING:
    from tasks.train_model.checkpoints import CheckpointKeeper

CLOSE_SECONDS = 25.0
"""How long an interrupted run waits for its last checkpoint's upload: SIGKILL follows SIGTERM after 30."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainJob:
    """What to train, on what, and where to put it."""

    data: Path
    """The folder of the tokenize stage."""
    output: Path
    """Where `model/` and `history.json` go."""
    checkpoints: Path
    """A folder of this machine for this run alone."""
    settings: TrainSettings
    location: str | None = None
    """A folder or hub name; None for a model from scratch."""
    revision: str | None = None
    scratch: ScratchSettings | None = None
    resume_from: Path | None = None
    """A whole checkpoint, or None to begin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a run went, as `TrainedModel` tells it."""

    global_step: int
    resumed_from_step: int
    tokens_per_second: float
    padding_share: float
    loss: float
    eval_before: dict[str, float] | None
    eval_after: dict[str, float] | None
    device: str
    precision: str
    peak_memory_bytes: int
    mfu: float | None
    history: list[dict[str, float]] = field(default_factory=list)
    fill_samples: list[dict[str, Any]] = field(default_factory=list)


def train(
    job: TrainJob,
    *,
    keeper: "CheckpointKeeper | None" = None,
    on_progress: Callable[[dict[str, Any]], None] | None = None,
) -> Outcome:
    """Train the job's model, write it to `job.output`, and tell how it went.

    Raises:
        UserError: the model does not fit the windows, or training diverged.
        KeyboardInterrupt: asked to stop; the step was finished and saved.
    """
    settings = job.settings
    threads = hardware.set_threads()
    disable_progress_bar()
    splits = read_windows(job.data)
    tokenizer = AutoTokenizer.from_pretrained(job.data / "tokenizer", trust_remote_code=False)
    windows, held_out = splits["train"], splits.get("eval")
    if not len(windows):
        raise UserError(
            "there are no training windows: the corpus is empty, see filter.min_chars and include"
        )
    held_out = held_out if held_out is not None and len(held_out) else None
    model = load_model(
        job.location,
        scratch=job.scratch,
        revision=job.revision,
        vocab_size=len(tokenizer),
        pad_token_id=tokenizer.pad_token_id,
        max_seq_length=max(int(split.lengths.max(initial=0)) for split in splits.values()),
        seed=settings.seed,
        attention_dropout=settings.attention_dropout,
        hidden_dropout=settings.hidden_dropout,
    )
    precision = hardware.choose_precision(settings.precision)
    rows = SparseRows(model)
    masker = Masker(
        seed=settings.seed,
        mask_token_id=tokenizer.mask_token_id,
        special_ids=tuple(sorted(tokenizer.all_special_ids)),
        vocab_size=len(tokenizer),
        mask_share=settings.mask_replace_prob,
        random_share=settings.random_replace_prob,
    )
    plan = Plan(
        lengths=windows.lengths,
        seed=settings.seed,
        batch_size=settings.per_device_train_batch_size,
        accumulation=settings.gradient_accumulation_steps,
    )
    total = total_steps(plan, settings)
    batches = MaskedBatches(
        windows=windows,
        masker=masker,
        pad_token_id=tokenizer.pad_token_id,
        rate=settings.mlm_probability,
        final_rate=settings.mlm_probability,
        total_steps=total,
    )
    log = stage_logger()
    log.info(
        "Training %s parameters for %d steps on %s (%s, %s) with %d windows; sparse from: %s",
        f"{model.num_parameters():,}",
        total,
        hardware.device_name(),
        precision,
        "1 thread" if threads == 1 else f"{threads} threads",
        len(windows),
        rows.depth,
    )
    if rows.depth == "none":
        log.warning("%s does not allow a sparse head: its head computes every row", type(model).__name__)

    meter = Meter(total, training_flops(model, windows, settings.mlm_probability), on_progress)
    best = KeepBest(
        job.checkpoints, keep=settings.load_best_model_at_end, patience=settings.early_stopping_patience
    )
    best.restore(job.resume_from)
    request = StopRequest()
    callbacks = [StopGently(request), best]
    callbacks += [SubmitCheckpoints(keeper)] if keeper is not None else []
    trainer = MlmTrainer(
        model,
        training_arguments(job, total, held_out),
        rows=rows,
        plan=plan,
        batches=batches,
        held_out=held_out,
        meter=meter,
        precision=precision,
        callbacks=callbacks,
        tokenizer=tokenizer,
    )
    places = sample_places(held_out, tokenizer) if held_out else []
    meter.baseline = stored_baseline(job.resume_from)
    if meter.baseline is None and held_out is not None:
        found = evaluate(model, rows, held_out, masker, tokenizer.pad_token_id)
        log.info("Held-out loss before: %.4f on %d masked tokens", found["loss"], found["masked_tokens"])
        meter.baseline = {"eval": found, "fill": fill(model, tokenizer, held_out, places)}
    resumed = int(job.resume_from.name.rsplit("-", 1)[-1]) if job.resume_from else 0
    if resumed:
        log.info("Resuming from step %d of %d", resumed, total)
    state = stored_state(job.resume_from)
    ended = state is not None and (resumed >= total or best.exhausted(state.log_history))
    if job.resume_from is not None and ended:
        # The run had ended, and only what follows training was lost.
        model.load_state_dict(load_file(job.resume_from / "model.safetensors"), strict=False)
        trainer.state = state
    else:
        with delayed_stop(request):
            trainer.train(resume_from_checkpoint=str(job.resume_from) if job.resume_from else None)
            meter.pause()
            if request.signal is not None:
                log.warning("Asked to stop: saved step %d", trainer.state.global_step)
                if keeper is not None:
                    keeper.close(timeout=CLOSE_SECONDS)
    if best.best.is_file():
        model.load_state_dict(load_file(best.best), strict=False)
    after = filled = None
    if held_out is not None and meter.baseline is not None:
        after = evaluate(model, rows, held_out, masker, tokenizer.pad_token_id)
        log.info("Held-out loss after: %.4f, before: %.4f", after["loss"], meter.baseline["eval"]["loss"])
        new = fill(model, tokenizer, held_out, places)
        filled = fill_samples(held_out, tokenizer, places, meter.baseline["fill"], new)
    history = curve(trainer.state.log_history)
    model.save_pretrained(job.output / "model")
    tokenizer.save_pretrained(job.output / "model")
    (job.output / "history.json").write_text(json.dumps(history), encoding="utf-8")
    return Outcome(
        global_step=trainer.state.global_step,
        resumed_from_step=resumed,
        tokens_per_second=meter.tokens_per_second,
        padding_share=meter.padding_share,
        loss=last_tenth(history),
        eval_before=meter.baseline["eval"] if meter.baseline else None,
        eval_after=after,
        device=hardware.device_name(),
        precision=precision,
        peak_memory_bytes=hardware.peak_memory_bytes(),
        mfu=meter.mfu,
        history=history,
        fill_samples=filled or [],
    )


def total_steps(plan: Plan, settings: TrainSettings) -> int:
    """Optimizer steps of the whole run."""
    steps = math.ceil(settings.num_train_epochs * plan.steps_per_epoch)
    return min(steps, settings.max_steps) if settings.max_steps > 0 else steps


def training_arguments(job: TrainJob, total: int, held_out: Windows | None) -> TrainingArguments:
    """The settings as transformers' Trainer takes them."""
    settings = job.settings
    prepare_trackers(list(settings.report_to), job.checkpoints)
    evaluating = held_out is not None and settings.eval_steps > 0
    return TrainingArguments(
        output_dir=str(job.checkpoints),
        max_steps=total,
        per_device_train_batch_size=settings.per_device_train_batch_size,
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
        report_to=list(settings.report_to),
        disable_tqdm=True,
        log_level="error",
        remove_unused_columns=False,
        logging_nan_inf_filter=False,
        ddp_find_unused_parameters=False,
    )


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


def stored_state(checkpoint: Path | None) -> TrainerState | None:
    """The Trainer's state in a checkpoint."""
    return TrainerState.load_from_json(str(checkpoint / "trainer_state.json")) if checkpoint else None


def stored_baseline(checkpoint: Path | None) -> dict[str, Any] | None:
    """What a checkpoint says was measured before training."""
    state = stored_state(checkpoint)
    kept = state.stateful_callbacks.get("Meter", {}).get("attributes", {}) if state else {}
    return kept.get("baseline")


def curve(log_history: list[dict[str, float]]) -> list[dict[str, float]]:
    """The points of the loss curve: `step`, and `loss` and `learning_rate`, or `eval_loss`."""
    kept = ("step", "loss", "learning_rate", "eval_loss")
    return [{name: point[name] for name in kept if name in point} for point in log_history]


def last_tenth(history: list[dict[str, float]]) -> float:
    """The mean training loss over the last tenth of the run's log points."""
    losses = [point["loss"] for point in history if "loss" in point]
    tail = losses[-max(1, len(losses) // 10) :]
    return sum(tail) / len(tail) if tail else math.nan
