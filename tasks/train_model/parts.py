"""The parts of a training run: windows, model, order, batches and what listens, loaded and checked."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from transformers import AutoTokenizer, TrainerState
from transformers.modeling_utils import PreTrainedModel

from tasks.errors import UserError
from tasks.stage.log import stage_logger
from tasks.train_model.arguments import training_flops
from tasks.train_model.batches.counting import Tokens
from tasks.train_model.batches.loader import MaskedBatches
from tasks.train_model.batches.masking import Masker
from tasks.train_model.batches.order import PairOrder, WindowOrder
from tasks.train_model.batches.pairs import Kind, Pairs, allows_false
from tasks.train_model.batches.windows import Windows
from tasks.train_model.job import TrainJob
from tasks.train_model.machines import batch_of
from tasks.train_model.model.evaluation import EVAL_SEED, EVAL_SHORT_SHARE, evaluate
from tasks.train_model.model.heads import SparseRows
from tasks.train_model.model.loading import load_model
from tasks.train_model.model.packing import first_position, prepare_packing
from tasks.train_model.model.samples import fill, sample_places
from tasks.train_model.model.trying import check_lengths
from tasks.train_model.reading import read_windows
from tasks.train_model.settings import TrainSettings
from tasks.training import hardware
from tasks.training.callbacks import KeepBest
from tasks.training.meter import Listener, Meter, stored_state
from tasks.training.processes import ranks
from tasks.training.processes.interrupt import StopRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Everything that a run is made of."""

    job: TrainJob
    model: PreTrainedModel
    tokenizer: Any
    rows: SparseRows
    """What lets the model compute its masked rows alone."""
    order: WindowOrder
    batches: MaskedBatches
    held_out: Windows | None
    held_out_pairs: Pairs | None
    samples: list[tuple[int, int]]
    """Windows and positions that show what the model guesses, before and after."""
    precision: hardware.Precision
    meter: Meter
    best: KeepBest
    stop: StopRequest
    """Filled in when a signal asks the run to stop."""
    resumed: TrainerState | None
    """The Trainer's state in the checkpoint that the run goes on from; None where it begins."""

    @property
    def first_step(self) -> int:
        """The optimizer steps that were done before this process."""
        return 0 if self.resumed is None else int(self.resumed.global_step)

    def evaluate(self, model: PreTrainedModel | None = None) -> dict[str, float] | None:
        """Held-out figures of the model as it is, or None where nothing is held out.

        Args:
            model: the same as the Trainer has wrapped it.
        """
        if self.held_out is None:
            return None
        return evaluate(
            self.model if model is None else model,
            self.rows,
            self.held_out,
            self.batches.masker,
            self.batches.pad_token_id,
            pairs=self.held_out_pairs,
        )

    def fill(self) -> list[list[str]]:
        """The model's best tokens for the samples."""
        return fill(self.model, self.tokenizer, self.held_out, self.samples) if self.held_out else []

    def token_counts(self) -> Tokens:
        """(vocabulary,) how often each token occurs in the training windows; special ones never do."""
        counts: Tokens = np.bincount(self.batches.windows.ids, minlength=len(self.tokenizer))
        counts[list(self.batches.masker.special_ids)] = 0
        return counts

    def reloaded(self) -> "Parts":
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


def load_parts(job: TrainJob, on_progress: Listener | None = None) -> Parts:
    """Load the windows, the tokenizer and the model, and lay out the run.

    Raises:
        UserError: there is nothing to train on, or the model does not fit the windows or the objective.
    """
    settings = job.settings
    threads = hardware.set_threads(ranks.local_ranks())
    windows, held_out = load_windows(job)
    tokenizer = AutoTokenizer.from_pretrained(job.data / "tokenizer", trust_remote_code=False)
    model = starting_model(job, tokenizer, windows, held_out)
    precision = hardware.choose_precision(settings.precision)
    if job.location is not None:
        check_lengths(model, job.location, [int(windows.lengths.min()), int(windows.lengths.max())])
    rows = SparseRows(model)
    pairs, held_out_pairs = make_pairs(windows, held_out, tokenizer, settings)
    order = make_order(windows, pairs, settings)
    batches = MaskedBatches(
        windows=windows,
        masker=make_masker(tokenizer, settings),
        pad_token_id=tokenizer.pad_token_id,
        rate=settings.mlm_probability,
        final_rate=settings.final_mlm_probability or settings.mlm_probability,
        total_steps=total_steps(order, settings),
        pairs=pairs,
        packed_from=packed_from(model, rows, precision) if settings.packing else None,
    )
    parts = Parts(
        job=job,
        model=model,
        tokenizer=tokenizer,
        rows=rows,
        order=order,
        batches=batches,
        held_out=held_out,
        held_out_pairs=held_out_pairs,
        samples=sample_places(held_out, tokenizer) if held_out else [],
        precision=precision,
        meter=make_meter(model, batches, on_progress),
        best=best_so_far(job),
        stop=StopRequest(),
        resumed=stored_state(job.resume_from),
    )
    announce(parts, threads)
    return parts


def load_windows(job: TrainJob) -> tuple[Windows, Windows | None]:
    """The windows to train on, and those held out, or None where there are none.

    Where more than `job.eval_tokens` are held out, those of some documents are: the same ones in every run
    that holds these documents out.

    Raises:
        UserError: there are none to train on.
    """
    splits = read_windows(job.data)
    windows, held_out = splits["train"], splits.get("eval")
    if not len(windows):
        raise UserError(
            "there are no training windows: the corpus is empty, see filter.min_chars and include"
        )
    if held_out is None or not len(held_out):
        return windows, None
    return windows, held_out if job.eval_tokens is None else held_out.sample(job.eval_tokens)


def starting_model(
    job: TrainJob, tokenizer: Any, windows: Windows, held_out: Windows | None
) -> PreTrainedModel:
    """The model that training begins with.

    Raises:
        UserError: it does not fit the windows, the tokenizer or the objective.
    """
    settings = job.settings
    splits = [windows] if held_out is None else [windows, held_out]
    return load_model(
        job.location,
        scratch=job.scratch,
        revision=job.revision,
        vocab_size=len(tokenizer),
        pad_token_id=tokenizer.pad_token_id,
        max_seq_length=max(int(split.lengths.max()) for split in splits),
        seed=settings.seed,
        attention_dropout=settings.attention_dropout,
        hidden_dropout=settings.hidden_dropout,
        pairs=settings.objective != "mlm",
    )


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


def make_order(windows: Windows, pairs: Pairs | None, settings: TrainSettings) -> WindowOrder:
    """The order of training, of windows or of pairs."""
    lengths = windows.lengths if pairs is None else pairs.table(0).lengths
    batch = {
        "seed": settings.seed,
        "batch_size": batch_of(settings, float(lengths.mean()), ranks.ranks()),
        "accumulation": settings.gradient_accumulation_steps,
        "ranks": ranks.ranks(),
    }
    if pairs is None:
        return WindowOrder(lengths=lengths, **batch)
    return PairOrder(lengths=lengths, pairs=pairs, **batch)


def make_masker(tokenizer: Any, settings: TrainSettings) -> Masker:
    """What masks the tokens of a tokenizer as the settings say."""
    return Masker(
        seed=settings.seed,
        mask_token_id=tokenizer.mask_token_id,
        special_ids=tuple(sorted(tokenizer.all_special_ids)),
        vocab_size=len(tokenizer),
        mask_share=settings.mask_replace_prob,
        random_share=settings.random_replace_prob,
        strategy=settings.masking,
        code_weight=settings.code_mask_weight,
    )


def total_steps(order: WindowOrder, settings: TrainSettings) -> int:
    """Optimizer steps of the whole run."""
    steps = math.ceil(settings.num_train_epochs * order.steps_per_epoch)
    return min(steps, settings.max_steps) if settings.max_steps > 0 else steps


def packed_from(model: PreTrainedModel, rows: SparseRows, precision: hardware.Precision) -> int | None:
    """The first position of a packed row's windows, or None, said in the log, where rows are not packed."""
    problem = prepare_packing(model, rows, precision)
    if problem is None:
        return first_position(model)
    stage_logger().warning("Batches are padded, not packed: %s", problem)
    return None


def make_meter(model: PreTrainedModel, batches: MaskedBatches, on_progress: Listener | None) -> Meter:
    """What counts the run, and tells of it."""
    return Meter(batches.total_steps, training_flops(model, batches.windows, batches.rate), on_progress)


def best_so_far(job: TrainJob) -> KeepBest:
    """What keeps the best weights, with those that the checkpoint brought."""
    settings = job.settings
    best = KeepBest(
        job.checkpoints, keep=settings.load_best_model_at_end, patience=settings.early_stopping_patience
    )
    best.restore(job.resume_from)
    return best


def announce(parts: Parts, threads: int) -> None:
    """Say in the log what is about to be trained, and on what."""
    model, depth = parts.model, parts.rows.depth
    stage_logger().info(
        "Training %s parameters for %d steps of %d windows on %s (%s, threads: %d); sparse from: %s",
        f"{model.num_parameters():,}",
        parts.batches.total_steps,
        parts.order.global_batch,
        hardware.device_name(),
        parts.precision,
        threads,
        depth,
    )
    if depth == "none":
        stage_logger().warning("%s allows no sparse head: its head computes every row", type(model).__name__)
