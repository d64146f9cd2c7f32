"""One training run: from token windows and a model to a better model, however often it is interrupted."""

import json
from collections.abc import Sequence
from pathlib import Path

from safetensors.torch import load_file
from transformers import TrainerCallback
from transformers.utils.logging import disable_progress_bar

from tasks.stage.log import stage_logger
from tasks.train_model.arguments import training_arguments
from tasks.train_model.job import TrainJob, TrainReport
from tasks.train_model.model.loading import keep_pair_head, start_from_frequencies
from tasks.train_model.model.samples import fill_samples
from tasks.train_model.parts import Parts, load_parts
from tasks.train_model.trainer import MlmTrainer
from tasks.training import hardware
from tasks.training.callbacks import StopGently, SubmitCheckpoints
from tasks.training.curve import curve, last_tenth
from tasks.training.keeper import Keeper, store_in_time
from tasks.training.meter import Listener, kept_by_meter
from tasks.training.processes import ranks
from tasks.training.processes.interrupt import delayed_stop
from tasks.training.trackers import tracked


def train(job: TrainJob, *, keeper: Keeper | None = None, on_progress: Listener | None = None) -> TrainReport:
    """Train the job's model, write it to `job.output`, and tell how it went.

    Raises:
        UserError: the model does not fit the windows, or training diverged.
        KeyboardInterrupt: asked to stop; the step was finished and saved.
    """
    disable_progress_bar()
    parts = load_parts(job, on_progress)
    with tracked(list(job.settings.report_to), job.trackers or job.output / "trackers") as trackers:
        trainer = make_trainer(parts, keeper, trackers)
        measure_before(parts)
        fit(parts, trainer, keeper)
    return finish(parts, trainer)


def train_json(job: str, keeper: Keeper | None, on_progress: Listener | None) -> str:
    """The same for a job in JSON, as a process that was launched for it gets it; the report in JSON."""
    return train(TrainJob.load(job), keeper=keeper, on_progress=on_progress).dump()


def make_trainer(parts: Parts, keeper: Keeper | None, trackers: Sequence[TrainerCallback]) -> MlmTrainer:
    """The trainer, which moves the model to its device and meets the other processes."""
    evaluating = parts.held_out is not None
    callbacks: list[TrainerCallback] = [StopGently(parts.stop), parts.best]
    if keeper is not None:
        callbacks.append(SubmitCheckpoints(keeper))
    arguments = training_arguments(
        parts.job, parts.batches.total_steps, parts.order.batch_size, evaluating=evaluating
    )
    return MlmTrainer(parts, arguments, [*callbacks, *trackers])


def measure_before(parts: Parts) -> None:
    """Measure the model as it was given; a run that resumes takes what was measured when it began."""
    meter = parts.meter
    meter.baseline = kept_by_meter(parts.resumed).get("baseline")
    if meter.baseline is None and (figures := ranks.from_first(parts.evaluate())) is not None:
        stage_logger().info(
            "Held-out loss before: %.4f on %d masked tokens", figures["loss"], figures["masked_tokens"]
        )
        meter.baseline = {"eval": figures, "fill": parts.fill()}


def fit(parts: Parts, trainer: MlmTrainer, keeper: Keeper | None) -> None:
    """Train from the beginning or from the checkpoint to the end, unless that is where the run was.

    Raises:
        UserError: training diverged.
        KeyboardInterrupt: asked to stop; the step was finished and saved.
    """
    if has_ended(parts):
        take_weights(parts, trainer)
        return
    resume_or_start(parts)
    checkpoint = parts.job.resume_from
    with delayed_stop(parts.stop):
        trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
        parts.meter.pause()
        if parts.stop.signal is not None:
            save_in_time(trainer, keeper)


def has_ended(parts: Parts) -> bool:
    """Whether the checkpoint is that of the run's last step, planned or by patience."""
    state = parts.resumed
    if state is None:
        return False
    return parts.first_step >= parts.meter.total or parts.best.exhausted(state.log_history)


def take_weights(parts: Parts, trainer: MlmTrainer) -> None:
    """Take weights and curve of a run that had ended from its checkpoint: only its result was lost."""
    stage_logger().info("The run had ended at step %d: taking its weights", parts.first_step)
    if parts.job.resume_from is not None:
        weights = load_file(parts.job.resume_from / "model.safetensors")
        parts.model.load_state_dict(weights, strict=False)
    trainer.state = parts.resumed


def resume_or_start(parts: Parts) -> None:
    """Say where the run resumes; one that begins may have a head to start from the tokens' frequencies."""
    if parts.first_step:
        stage_logger().info("Resuming from step %d of %d", parts.first_step, parts.meter.total)
    elif start_from_frequencies(parts.model, parts.token_counts()):
        stage_logger().info("The MLM head starts from how often each token occurs")


def save_in_time(trainer: MlmTrainer, keeper: Keeper | None) -> None:
    """A run that was asked to stop has saved its step: give that the time to reach the store."""
    stage_logger().warning("Asked to stop: saved step %d", trainer.state.global_step)
    if keeper is not None:
        store_in_time(keeper)


def finish(parts: Parts, trainer: MlmTrainer) -> TrainReport:
    """Write the model and the loss curve, measure what was written, and tell everything."""
    output = parts.job.output
    take_best(parts)
    trainer.save_model(str(output / "model"))
    history = curve(trainer.state.log_history)
    if ranks.rank() == 0:
        keep_untrained_head(parts)
        (output / "model" / "training_args.bin").unlink(missing_ok=True)
        (output / "history.json").write_text(json.dumps(history), encoding="utf-8")
        if trainer.is_fsdp_enabled:
            parts = parts.reloaded()
    return make_report(parts, trainer.state.global_step, history)


def take_best(parts: Parts) -> None:
    """Go back to the weights of the lowest held-out loss, where they are kept."""
    if parts.best.best.is_file():
        parts.model.load_state_dict(load_file(parts.best.best), strict=False)


def keep_untrained_head(parts: Parts) -> None:
    """Give the written model the head for pairs that its checkpoint has, and MLM alone does not train."""
    location = parts.job.location
    if parts.batches.pairs is not None or location is None:
        return
    if keep_pair_head(parts.job.output / "model", Path(location)):
        stage_logger().info(
            "The checkpoint's pooler and NSP head are kept as they were: MLM does not train them"
        )


def make_report(parts: Parts, step: int, history: list[dict[str, float]]) -> TrainReport:
    """Measure the finished model, and tell everything."""
    meter, before = parts.meter, parts.meter.baseline
    after, samples = parts.evaluate() if ranks.rank() == 0 else None, []
    if parts.held_out is not None and after is not None and before is not None:
        stage_logger().info("Held-out loss after: %.4f, before: %.4f", after["loss"], before["eval"]["loss"])
        samples = fill_samples(parts.held_out, parts.tokenizer, parts.samples, before["fill"], parts.fill())
    return TrainReport(
        global_step=step,
        resumed_from_step=parts.first_step,
        tokens_per_second=meter.tokens_per_second,
        padding_share=meter.padding_share,
        loss=last_tenth(history),
        eval_before=before["eval"] if before else None,
        eval_after=after,
        device=hardware.device_name(),
        precision=parts.precision,
        peak_memory_bytes=hardware.peak_memory_bytes(),
        mfu=meter.mfu,
        history=history,
        fill_samples=samples,
    )
