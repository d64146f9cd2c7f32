"""One training run: from token windows and a model to a better model, however often it is interrupted."""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer, TrainingArguments
from transformers.modeling_utils import PreTrainedModel
from transformers.utils.logging import disable_progress_bar

from tasks.errors import UserError
from tasks.settings import TrainSettings
from tasks.stage import stage_logger
from tasks.train_model import hardware, ranks
from tasks.train_model.batching import MaskedBatches, PairPlan, Plan
from tasks.train_model.counting import Tokens
from tasks.train_model.evaluation import EVAL_SEED, EVAL_SHORT_SHARE, evaluate
from tasks.train_model.heads import SparseRows
from tasks.train_model.history import curve, kept_by_meter, last_tenth, stored_state
from tasks.train_model.interrupt import StopRequest, delayed_stop
from tasks.train_model.job import Outcome, TrainJob
from tasks.train_model.loading import keep_pair_head, load_model, start_from_frequencies
from tasks.train_model.masking import Masker
from tasks.train_model.packing import first_position, prepare_packing
from tasks.train_model.pairs import Kind, Pairs, allows_false
from tasks.train_model.progress import Meter
from tasks.train_model.samples import fill, fill_samples, sample_places
from tasks.train_model.trackers import prepare_trackers
from tasks.train_model.trainer import KeepBest, MlmTrainer, StopGently, SubmitCheckpoints
from tasks.train_model.windows import Windows, read_windows

CLOSE_SECONDS = 25.0
"""How long an interrupted run waits for its last checkpoint's upload: SIGKILL follows SIGTERM after 30."""

Listener = Callable[[dict[str, Any]], None]


class Keeper(Protocol):
    """Who keeps checkpoints safe: `CheckpointKeeper`, or in a child process one that tells its parent."""

    def submit(self, folder: Path, global_step: int) -> None:
        """Take over a checkpoint that was just written."""

    def close(self, timeout: float | None = None) -> bool:
        """Wait for what is under way."""


def store_in_time(keeper: Keeper) -> None:
    """Give the last checkpoint of a run that was asked to stop a while to reach the store."""
    if not keeper.close(timeout=CLOSE_SECONDS):
        stage_logger().warning(
            "The last checkpoint is not in the store, only in the work folder: run again on this machine"
        )


def train(job: TrainJob, *, keeper: Keeper | None = None, on_progress: Listener | None = None) -> Outcome:
    """Train the job's model, write it to `job.output`, and tell how it went.

    Raises:
        UserError: the model does not fit the windows, or training diverged.
        KeyboardInterrupt: asked to stop; the step was finished and saved.
    """
    disable_progress_bar()
    run = _prepare(job, on_progress)
    settings, meter = job.settings, run.meter
    best = KeepBest(
        job.checkpoints, keep=settings.load_best_model_at_end, patience=settings.early_stopping_patience
    )
    best.restore(job.resume_from)
    request = StopRequest()
    callbacks = [StopGently(request), best, *([SubmitCheckpoints(keeper)] if keeper is not None else [])]
    trainer = MlmTrainer(
        run.model,
        training_arguments(job, run.batches.total_steps, evaluating=run.held_out is not None),
        rows=run.rows,
        plan=run.plan,
        batches=run.batches,
        held_out=run.held_out,
        held_out_pairs=run.held_out_pairs,
        meter=meter,
        precision=run.precision,
        callbacks=callbacks,
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """A job's parts, loaded and checked."""

    job: TrainJob
    model: PreTrainedModel
    tokenizer: Any
    rows: SparseRows
    plan: Plan
    batches: MaskedBatches
    held_out: Windows | None
    held_out_pairs: Pairs | None
    places: list[tuple[int, int]]
    precision: hardware.Precision
    meter: Meter

    def evaluate(self) -> dict[str, float] | None:
        """Held-out figures of the model as it is."""
        if self.held_out is None:
            return None
        batches, pairs = self.batches, self.held_out_pairs
        return evaluate(
            self.model, self.rows, self.held_out, batches.masker, batches.pad_token_id, pairs=pairs
        )

    def token_counts(self) -> Tokens:
        """(vocabulary,) how often each token occurs in the training windows; special ones never do."""
        counts: Tokens = np.bincount(self.batches.windows.ids, minlength=len(self.tokenizer))
        counts[list(self.batches.masker.special_ids)] = 0
        return counts

    def fill(self) -> list[list[str]]:
        """The model's best tokens for the sample places."""
        return fill(self.model, self.tokenizer, self.held_out, self.places) if self.held_out else []

    def reloaded(self) -> "_Run":
        """The same with the model that was saved, whole where the trained one is in shards."""
        model = load_model(
            self.job.output / "model",
            vocab_size=len(self.tokenizer),
            pad_token_id=self.tokenizer.pad_token_id,
            max_seq_length=0,
            seed=self.job.settings.seed,
            pairs=self.batches.pairs is not None,
        ).to("cuda" if torch.cuda.is_available() else "cpu")
        return replace(self, model=model, rows=SparseRows(model))

    def outcome(self, step: int, resumed: int, history: list[dict[str, float]]) -> Outcome:
        """Measure the finished model, and tell everything."""
        before, after = self.meter.baseline, self.evaluate() if ranks.rank() == 0 else None
        samples = []
        if self.held_out is not None and after is not None and before is not None:
            stage_logger().info(
                "Held-out loss after: %.4f, before: %.4f", after["loss"], before["eval"]["loss"]
            )
            samples = fill_samples(self.held_out, self.tokenizer, self.places, before["fill"], self.fill())
        return Outcome(
            global_step=step,
            resumed_from_step=resumed,
            tokens_per_second=self.meter.tokens_per_second,
            padding_share=self.meter.padding_share,
            loss=last_tenth(history),
            eval_before=before["eval"] if before else None,
            eval_after=after,
            device=hardware.device_name(),
            precision=self.precision,
            peak_memory_bytes=hardware.peak_memory_bytes(),
            mfu=self.meter.mfu,
            history=history,
            fill_samples=samples,
        )


def _prepare(job: TrainJob, on_progress: Listener | None) -> _Run:
    """Load windows, tokenizer and model, and plan the run."""
    settings = job.settings
    threads = hardware.set_threads(ranks.local_ranks())
    splits = read_windows(job.data)
    windows, held_out = splits["train"], splits.get("eval")
    if not len(windows):
        raise UserError(
            "there are no training windows: the corpus is empty, see filter.min_chars and include"
        )
    held_out = held_out if held_out is not None and len(held_out) else None
    tokenizer = AutoTokenizer.from_pretrained(job.data / "tokenizer", trust_remote_code=False)
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
        pairs=settings.objective != "mlm",
    )
    precision = hardware.choose_precision(settings.precision)
    rows = SparseRows(model)
    pairs, held_out_pairs = make_pairs(windows, held_out, tokenizer, settings)
    batch = {
        "seed": settings.seed,
        "batch_size": settings.per_device_train_batch_size,
        "accumulation": settings.gradient_accumulation_steps,
        "ranks": ranks.ranks(),
    }
    plan = Plan(lengths=windows.lengths, **batch)
    if pairs is not None:
        plan = PairPlan(lengths=pairs.table(0).lengths, pairs=pairs, **batch)
    masker = Masker(
        seed=settings.seed,
        mask_token_id=tokenizer.mask_token_id,
        special_ids=tuple(sorted(tokenizer.all_special_ids)),
        vocab_size=len(tokenizer),
        mask_share=settings.mask_replace_prob,
        random_share=settings.random_replace_prob,
        strategy=settings.masking,
        code_weight=settings.code_mask_weight,
    )
    batches = MaskedBatches(
        windows=windows,
        masker=masker,
        pad_token_id=tokenizer.pad_token_id,
        rate=settings.mlm_probability,
        final_rate=settings.final_mlm_probability or settings.mlm_probability,
        total_steps=total_steps(plan, settings),
        pairs=pairs,
        packed_from=packed_from(model, rows, precision) if settings.packing else None,
    )
    stage_logger().info(
        "Training %s parameters for %d steps of %d windows on %s (%s, threads: %d); sparse from: %s",
        f"{model.num_parameters():,}",
        batches.total_steps,
        plan.global_batch,
        hardware.device_name(),
        precision,
        threads,
        rows.depth,
    )
    if rows.depth == "none":
        stage_logger().warning("%s allows no sparse head: its head computes every row", type(model).__name__)
    return _Run(
        job=job,
        model=model,
        tokenizer=tokenizer,
        rows=rows,
        plan=plan,
        batches=batches,
        held_out=held_out,
        held_out_pairs=held_out_pairs,
        places=sample_places(held_out, tokenizer) if held_out else [],
        precision=precision,
        meter=Meter(
            batches.total_steps, training_flops(model, windows, settings.mlm_probability), on_progress
        ),
    )


def packed_from(model: PreTrainedModel, rows: SparseRows, precision: hardware.Precision) -> int | None:
    """The first position of a packed row's windows, or None, said in the log, where rows are not packed."""
    problem = prepare_packing(model, rows, precision)
    if problem is None:
        return first_position(model)
    stage_logger().warning("Batches are padded, not packed: %s", problem)
    return None


def make_pairs(
    windows: Windows, held_out: Windows | None, tokenizer: Any, settings: TrainSettings
) -> tuple[Pairs | None, Pairs | None]:
    """The pairs to train on and those to evaluate on, which are the same for every run; None for MLM alone.

    Raises:
        UserError: the training documents allow none.
    """
    if settings.objective == "mlm":
        return None, None
    kind: Kind = "nsp" if settings.objective == "mlm+nsp" else "sop"
    frame = (tokenizer.cls_token_id, tokenizer.sep_token_id)
    most = max(int(windows.lengths.max()), 8)
    pairs = Pairs(
        windows.documents(),
        kind,
        max_seq_length=most,
        short_share=settings.short_seq_share,
        seed=settings.seed,
        frame=frame,
    )
    others = held_out.documents() if held_out is not None else None
    if others is None or not allows_false(others):
        return pairs, None
    return pairs, Pairs(
        others, kind, max_seq_length=most, short_share=EVAL_SHORT_SHARE, seed=EVAL_SEED, frame=frame
    )


def total_steps(plan: Plan, settings: TrainSettings) -> int:
    """Optimizer steps of the whole run."""
    steps = math.ceil(settings.num_train_epochs * plan.steps_per_epoch)
    return min(steps, settings.max_steps) if settings.max_steps > 0 else steps


def training_arguments(job: TrainJob, total: int, *, evaluating: bool) -> TrainingArguments:
    """The settings as transformers' Trainer takes them."""
    settings = job.settings
    prepare_trackers(list(settings.report_to), job.checkpoints)
    evaluating = evaluating and settings.eval_steps > 0
    on_cpu = not torch.cuda.is_available()
    sharded = settings.parallelism == "fsdp" and ranks.ranks() > 1
    arguments = TrainingArguments(
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
    # One process trains on one GPU. On several the Trainer would split batches among threads, which cannot
    # know which rows of theirs are masked.
    arguments._n_gpu = min(arguments.n_gpu, 1)
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
