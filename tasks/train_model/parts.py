"""The parts of a training run, loaded and checked."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from transformers import AutoTokenizer
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
from tasks.train_model.job import TrainJob, TrainReport
from tasks.train_model.model.evaluation import EVAL_SEED, EVAL_SHORT_SHARE, evaluate
from tasks.train_model.model.heads import SparseRows
from tasks.train_model.model.loading import load_model
from tasks.train_model.model.packing import first_position, prepare_packing
from tasks.train_model.model.samples import fill, fill_samples, sample_places
from tasks.train_model.model.trying import check_lengths
from tasks.train_model.reading import read_windows
from tasks.train_model.settings import TrainSettings
from tasks.training import hardware
from tasks.training.curve import last_tenth
from tasks.training.meter import Listener, Meter
from tasks.training.processes import ranks


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """A job's parts, loaded and checked."""

    job: TrainJob
    model: PreTrainedModel
    tokenizer: Any
    rows: SparseRows
    order: WindowOrder
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

    def outcome(self, step: int, resumed: int, history: list[dict[str, float]]) -> TrainReport:
        """Measure the finished model, and tell everything."""
        before, after = self.meter.baseline, self.evaluate() if ranks.rank() == 0 else None
        samples = []
        if self.held_out is not None and after is not None and before is not None:
            stage_logger().info(
                "Held-out loss after: %.4f, before: %.4f", after["loss"], before["eval"]["loss"]
            )
            samples = fill_samples(self.held_out, self.tokenizer, self.places, before["fill"], self.fill())
        return TrainReport(
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
    """Load windows, tokenizer and model, and lay out the run."""
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
    if job.location is not None:
        check_lengths(model, job.location, [int(windows.lengths.min()), int(windows.lengths.max())])
    rows = SparseRows(model)
    pairs, held_out_pairs = make_pairs(windows, held_out, tokenizer, settings)
    batch = {
        "seed": settings.seed,
        "batch_size": settings.per_device_train_batch_size,
        "accumulation": settings.gradient_accumulation_steps,
        "ranks": ranks.ranks(),
    }
    order = WindowOrder(lengths=windows.lengths, **batch)
    if pairs is not None:
        order = PairOrder(lengths=pairs.table(0).lengths, pairs=pairs, **batch)
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
        total_steps=total_steps(order, settings),
        pairs=pairs,
        packed_from=packed_from(model, rows, precision) if settings.packing else None,
    )
    stage_logger().info(
        "Training %s parameters for %d steps of %d windows on %s (%s, threads: %d); sparse from: %s",
        f"{model.num_parameters():,}",
        batches.total_steps,
        order.global_batch,
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
        order=order,
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


def total_steps(order: WindowOrder, settings: TrainSettings) -> int:
    """Optimizer steps of the whole run."""
    steps = math.ceil(settings.num_train_epochs * order.steps_per_epoch)
    return min(steps, settings.max_steps) if settings.max_steps > 0 else steps
