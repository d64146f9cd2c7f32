"""One arm of a benchmark, alone in a process of its own: so that its peak memory is its own.

python -m tests.benchmarks.arms SPEC.json RESULT.json
"""

import json
import logging
import math
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import torch
from datasets import Dataset, load_from_disk
from transformers import (
    AutoTokenizer,
    DataCollatorForLanguageModeling,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)
from transformers.trainer_callback import PrinterCallback

from tasks.settings import ScratchSettings, TrainSettings
from tasks.train_model import batching, hardware, heads
from tasks.train_model.batching import read_windows
from tasks.train_model.engine import train
from tasks.train_model.evaluation import evaluate
from tasks.train_model.heads import SparseRows
from tasks.train_model.job import TrainJob
from tasks.train_model.loading import load_model
from tasks.train_model.masking import Masker

POINTS = 5
"""Evaluations of the held-out loss in a run, the last at its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """A recipe: what is trained on, and how."""

    name: str
    ours: bool = False
    """docs-mlm's engine, or transformers' stock Trainer."""
    data: str = "windows"
    """`windows` of whole documents, `first` 128 tokens of each (the notebook), or `blocks` (run_mlm)."""
    precision: str = "fp32"
    learning_rate: float = 5e-5
    warmup_share: float = 0.0
    weight_decay: float = 0.0
    batch: int = 16
    attention_dropout: float | None = None
    hidden_dropout: float | None = None
    depth: str = "last layer"
    """How deep the sparse rows go, for the ablation."""
    by_length: bool = True
    compiled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What an arm runs on, for how long."""

    arm: Arm
    corpus: str
    model: str | None
    sizes: dict[str, int] | None
    max_seq_length: int
    steps: int
    seed: int
    evaluating: bool


def main(spec_file: Path, result_file: Path) -> None:
    """Run one arm and write what came of it."""
    logging.disable(logging.WARNING)
    values = json.loads(spec_file.read_text())
    spec = Spec(**(values | {"arm": Arm(**values["arm"])}))
    hardware.set_threads()
    result = run_ours(spec) if spec.arm.ours else run_stock(spec)
    result["peak_memory_bytes"] = hardware.peak_memory_bytes()
    result_file.write_text(json.dumps(result))


def run_ours(spec: Spec) -> dict[str, Any]:
    """docs-mlm's engine as a user runs it, with a checkpoint at the end only."""
    if spec.arm.depth != "last layer":
        heads.SparseRows._deepest = lambda self, model: spec.arm.depth  # type: ignore[method-assign,assignment,return-value]
    if not spec.arm.by_length:
        batching.POOL = 1
    settings = TrainSettings(
        num_train_epochs=1000,
        max_steps=spec.steps,
        per_device_train_batch_size=spec.arm.batch,
        learning_rate=spec.arm.learning_rate,
        warmup_share=spec.arm.warmup_share,
        weight_decay=spec.arm.weight_decay,
        attention_dropout=spec.arm.attention_dropout,
        hidden_dropout=spec.arm.hidden_dropout,
        precision=spec.arm.precision,
        seed=spec.seed,
        torch_compile=spec.arm.compiled,
        logging_steps=1,
        save_steps=10**6,
        eval_steps=max(1, spec.steps // POINTS) if spec.evaluating else 0,
    )
    events: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(spec.corpus) if spec.evaluating else without_eval(spec, Path(folder))
        job = TrainJob(
            data=corpus,
            output=Path(folder) / "out",
            checkpoints=Path(folder) / "local",
            settings=settings,
            location=spec.model,
            scratch=ScratchSettings(**spec.sizes) if spec.sizes else None,
        )
        job.output.mkdir()
        outcome = train(job, on_progress=events.append)
    events = [event for event in events if "total" in event]
    seconds = {event["step"]: event["seconds"] for event in events}
    points = [(seconds[p["step"]], p["eval_loss"]) for p in outcome.history if "eval_loss" in p]
    before, after = outcome.eval_before, outcome.eval_after
    return {
        "tokens_per_second": median(event["tokens_per_second"] for event in events[2:] or events),
        "tokens": outcome.tokens_per_second * seconds[events[-1]["step"]],
        "seconds": seconds[events[-1]["step"]],
        "padding_share": outcome.padding_share,
        "mfu": outcome.mfu,
        "points": [(0.0, before["loss"]), *points] if before else [],
        "accuracy": after["accuracy"] if after else None,
        "loss": after["loss"] if after else None,
    }


def without_eval(spec: Spec, folder: Path) -> Path:
    """The same corpus without held-out windows, so that only training is timed and its memory measured."""
    splits = load_from_disk(str(Path(spec.corpus) / "windows"))
    splits.pop("eval", None)
    splits.save_to_disk(str(folder / "data" / "windows"))
    (folder / "data" / "tokenizer").symlink_to(Path(spec.corpus) / "tokenizer")
    return folder / "data"


def run_stock(spec: Spec) -> dict[str, Any]:
    """transformers' Trainer and collator, as the notebook and `run_mlm.py` use them."""
    arm, corpus = spec.arm, Path(spec.corpus)
    tokenizer = AutoTokenizer.from_pretrained(corpus / "tokenizer")
    model = load(spec, len(tokenizer), tokenizer.pad_token_id)
    clock = Clock(spec, corpus, tokenizer)
    set_seed(spec.seed)
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            model,
            TrainingArguments(
                output_dir=folder,
                max_steps=spec.steps,
                per_device_train_batch_size=arm.batch,
                learning_rate=arm.learning_rate,
                warmup_steps=math.ceil(arm.warmup_share * spec.steps),
                weight_decay=arm.weight_decay,
                bf16=arm.precision == "bf16",
                use_cpu=not torch.cuda.is_available(),
                seed=spec.seed,
                save_strategy="no",
                logging_strategy="no",
                report_to=[],
                disable_tqdm=True,
            ),
            data_collator=clock.counted(DataCollatorForLanguageModeling(tokenizer, mlm_probability=0.15)),
            train_dataset=stock_data(arm.data, corpus, tokenizer, spec.max_seq_length),
            callbacks=[clock],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    return clock.result(model)


def load(spec: Spec, vocab_size: int, pad_token_id: int) -> Any:
    """The initial weights, the same for every arm and seed."""
    return load_model(
        spec.model,
        scratch=ScratchSettings(**spec.sizes) if spec.sizes else None,
        vocab_size=vocab_size,
        pad_token_id=pad_token_id,
        max_seq_length=spec.max_seq_length,
        seed=spec.seed,
    )


def stock_data(kind: str, corpus: Path, tokenizer: Any, length: int) -> Dataset:
    """What a stock recipe trains on."""
    if kind == "windows":
        return load_from_disk(str(corpus / "windows"))["train"].select_columns(["input_ids"])
    texts = json.loads((corpus / "train.json").read_text())
    if kind == "first":
        return Dataset.from_dict(tokenizer(texts, truncation=True, max_length=length)).select_columns(
            ["input_ids"]
        )
    # run_mlm's group_texts: all tokens, special ones included, end to end in blocks, the rest dropped.
    tokens = [token for ids in tokenizer(texts)["input_ids"] for token in ids]
    blocks = [tokens[start : start + length] for start in range(0, len(tokens) - length + 1, length)]
    return Dataset.from_dict({"input_ids": blocks})


class Clock(TrainerCallback):
    """Times a stock run's steps, and stops the clock while its held-out loss is measured."""

    def __init__(self, spec: Spec, corpus: Path, tokenizer: Any) -> None:
        self.spec, self.tokenizer = spec, tokenizer
        self.held_out = read_windows(corpus)["eval"] if spec.evaluating else None
        self.tokens = self.computed = 0
        self.seconds = 0.0
        self.marks: list[tuple[float, int]] = [(0.0, 0)]
        self.points: list[tuple[float, float]] = []
        self.accuracy: float | None = None
        self._since = 0.0
        self._model: Any = None

    def counted(self, collate: Any) -> Any:
        """The collator, counting tokens."""

        def collate_and_count(features: list[Any]) -> Any:
            batch = collate(features)
            self.tokens += (
                int(batch["attention_mask"].sum())
                if "attention_mask" in batch
                else batch["input_ids"].numel()
            )
            self.computed += batch["input_ids"].numel()
            return batch

        return collate_and_count

    def on_train_begin(self, *_: Any, model: Any, **__: Any) -> None:
        """Measure the initial model, and start."""
        self._measure(model)
        self._since = time.perf_counter()

    def on_step_end(self, _args: Any, state: Any, _control: Any, model: Any, **__: Any) -> None:
        """Mark the step's time."""
        self.seconds += time.perf_counter() - self._since
        self.marks.append((self.seconds, self.tokens))
        if self.held_out is not None and state.global_step % max(1, self.spec.steps // POINTS) == 0:
            self._measure(model)
        self._since = time.perf_counter()

    def result(self, model: Any) -> dict[str, Any]:
        """What came of it."""
        if self.held_out is not None:
            self._measure(model)
        speeds = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in pairwise(self.marks)]
        return {
            "tokens_per_second": median(speeds[2:] or speeds),
            "tokens": self.tokens,
            "seconds": self.seconds,
            "padding_share": 1 - self.tokens / self.computed,
            "points": self.points,
            "accuracy": self.accuracy,
            "loss": self.points[-1][1] if self.points else None,
        }

    def _measure(self, model: Any) -> None:
        """The held-out loss on docs-mlm's fixed masks, by a copy: the stock model itself stays untouched."""
        if self.held_out is None:
            return
        if self._model is None:
            self._model = load(self.spec, len(self.tokenizer), self.tokenizer.pad_token_id)
            self._rows = SparseRows(self._model)
        self._model.load_state_dict(model.state_dict())
        masker = Masker(
            seed=0,
            mask_token_id=self.tokenizer.mask_token_id,
            special_ids=tuple(sorted(self.tokenizer.all_special_ids)),
            vocab_size=len(self.tokenizer),
        )
        found = evaluate(self._model, self._rows, self.held_out, masker, self.tokenizer.pad_token_id)
        self.points.append((self.seconds, found["loss"]))
        self.accuracy = found["accuracy"]


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
