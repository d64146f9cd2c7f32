"""One training run: from token windows and a model to a better model, however often it is interrupted."""

import json
from pathlib import Path

from safetensors.torch import load_file
from transformers import TrainerCallback
from transformers.utils.logging import disable_progress_bar

from tasks.stage.log import stage_logger
from tasks.train_model.arguments import training_arguments
from tasks.train_model.job import TrainJob, TrainReport
from tasks.train_model.model.loading import keep_pair_head, start_from_frequencies
from tasks.train_model.parts import _prepare
from tasks.train_model.trainer import MlmTrainer
from tasks.training.callbacks import KeepBest, StopGently, SubmitCheckpoints
from tasks.training.curve import curve
from tasks.training.keeper import Keeper, store_in_time
from tasks.training.meter import Listener, kept_by_meter, stored_state
from tasks.training.processes import ranks
from tasks.training.processes.interrupt import StopRequest, delayed_stop
from tasks.training.trackers import tracked


def train(job: TrainJob, *, keeper: Keeper | None = None, on_progress: Listener | None = None) -> TrainReport:
    """Train the job's model, write it to `job.output`, and tell how it went.

    Raises:
        UserError: the model does not fit the windows, or training diverged.
        KeyboardInterrupt: asked to stop; the step was finished and saved.
    """
    disable_progress_bar()
    with tracked(list(job.settings.report_to), job.trackers or job.output / "trackers") as trackers:
        return _train(job, keeper, on_progress, trackers)


def _train(
    job: TrainJob, keeper: Keeper | None, on_progress: Listener | None, trackers: list[TrainerCallback]
) -> TrainReport:
    run = _prepare(job, on_progress)
    settings, meter = job.settings, run.meter
    best = KeepBest(
        job.checkpoints, keep=settings.load_best_model_at_end, patience=settings.early_stopping_patience
    )
    best.restore(job.resume_from)
    request = StopRequest()
    kept = [SubmitCheckpoints(keeper)] if keeper is not None else []
    trainer = MlmTrainer(
        run.model,
        training_arguments(job, run.batches.total_steps, evaluating=run.held_out is not None),
        rows=run.rows,
        order=run.order,
        batches=run.batches,
        held_out=run.held_out,
        held_out_pairs=run.held_out_pairs,
        meter=meter,
        precision=run.precision,
        callbacks=[StopGently(request), best, *kept, *trackers],
        tokenizer=run.tokenizer,
    )
    state, log = stored_state(job.resume_from), stage_logger()
    meter.baseline = kept_by_meter(state).get("baseline")
    if meter.baseline is None and (figures := ranks.from_first(run.evaluate())) is not None:
        log.info("Held-out loss before: %.4f on %d masked tokens", figures["loss"], figures["masked_tokens"])
        meter.baseline = {"eval": figures, "fill": run.fill()}
    resumed = state.global_step if state is not None else 0
    ended = state is not None and (resumed >= meter.total or best.exhausted(state.log_history))
    if job.resume_from is not None and ended:
        log.info("The run had ended at step %d: taking its weights", resumed)
        run.model.load_state_dict(load_file(job.resume_from / "model.safetensors"), strict=False)
        trainer.state = state
    else:
        if resumed:
            log.info("Resuming from step %d of %d", resumed, meter.total)
        elif start_from_frequencies(run.model, run.token_counts()):
            log.info("The MLM head starts from how often each token occurs")
        with delayed_stop(request):
            trainer.train(resume_from_checkpoint=str(job.resume_from) if job.resume_from else None)
            meter.pause()
            if request.signal is not None:
                log.warning("Asked to stop: saved step %d", trainer.state.global_step)
                if keeper is not None:
                    store_in_time(keeper)
    if best.best.is_file():
        run.model.load_state_dict(load_file(best.best), strict=False)
    trainer.save_model(str(job.output / "model"))
    history = curve(trainer.state.log_history)
    if ranks.rank() == 0:
        if (
            run.batches.pairs is None
            and job.location is not None
            and keep_pair_head(job.output / "model", Path(job.location))
        ):
            log.info("The checkpoint's pooler and NSP head are kept as they were: MLM does not train them")
        (job.output / "model" / "training_args.bin").unlink(missing_ok=True)
        (job.output / "history.json").write_text(json.dumps(history), encoding="utf-8")
        if trainer.is_fsdp_enabled:
            run = run.reloaded()
    return run.outcome(trainer.state.global_step, resumed, history)


def train_json(job: str, keeper: Keeper | None, on_progress: Listener | None) -> str:
    """The same for a job in JSON, as a process that was launched for it gets it; the report in JSON."""
    return train(TrainJob.load(job), keeper=keeper, on_progress=on_progress).dump()
