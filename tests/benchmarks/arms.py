"""One arm of a benchmark, alone in a process of its own: so that its peak memory is its own.

python -m tests.benchmarks.arms SPEC.json RESULT.json
"""

import json
import logging
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from datasets import Dataset, load_from_disk
from transformers import (
    AutoTokenizer,
    DataCollatorForLanguageModeling,
    Trainer,
    TrainingArguments,
    set_seed,
)
from transformers.trainer_callback import PrinterCallback

from tasks.models.settings import ScratchSettings
from tasks.train_model import training as engine
from tasks.train_model.batches import order
from tasks.train_model.job import TrainJob
from tasks.train_model.model import heads
from tasks.train_model.model.loading import load_model
from tasks.train_model.settings import TrainSettings
from tasks.training import hardware
from tests.benchmarks.clock import Budget, Clock, HeldOut, Measure, engine_under, timed


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """A recipe: what is trained on, and how."""

    name: str
    ours: bool = False
    """docs-mlm's engine, or transformers' stock Trainer."""
    data: str = "windows"
    """`windows` of whole documents, `first` 128 tokens of each (the notebook), or `blocks` (run_mlm)."""
    precision: Literal["auto", "bf16", "fp32"] = "fp32"
    learning_rate: float = 5e-5
    warmup_share: float = 0.0
    weight_decay: float = 0.0
    batch: int = 16
    attention_dropout: float | None = None
    hidden_dropout: float | None = None
    depth: str = "last layer"
    """How deep the sparse rows go, for the ablation."""
    by_length: bool = True
    frequencies: bool = True
    """Whether a fresh head starts from how often tokens occur."""
    compiled: bool = False
    packed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What an arm runs on, for how long."""

    arm: Arm
    corpus: str
    model: str | None
    sizes: dict[str, int] | None
    max_seq_length: int
    measure: Measure
    budget: float
    seed: int
    evaluating: bool


def main(spec_file: Path, result_file: Path) -> None:
    """Run one arm and write what came of it."""
    logging.disable(logging.WARNING)
    values = json.loads(spec_file.read_text())
    spec = Spec(**(values | {"arm": Arm(**values["arm"])}))
    hardware.set_threads()
    tokenizer = AutoTokenizer.from_pretrained(Path(spec.corpus) / "tokenizer")
    clock = start_clock(spec, tokenizer)
    result = (run_ours if spec.arm.ours else run_stock)(spec, clock, tokenizer)
    result["peak_memory_bytes"] = hardware.peak_memory_bytes()
    result_file.write_text(json.dumps(result))


def start_clock(spec: Spec, tokenizer: Any) -> Clock:
    """The clock that the arm runs under."""
    held_out = HeldOut(Path(spec.corpus), tokenizer, load(spec, tokenizer)) if spec.evaluating else None
    budget = Budget(
        measure=spec.measure,
        amount=spec.budget,
        learning_rate=spec.arm.learning_rate,
        warmup_share=spec.arm.warmup_share,
    )
    return Clock(budget, held_out)


def run_ours(spec: Spec, clock: Clock, _tokenizer: Any) -> dict[str, Any]:
    """docs-mlm's engine as a user runs it, but for checkpoints."""
    if spec.arm.depth != "last layer":
        heads.SparseRows._deepest = lambda self, model: spec.arm.depth  # type: ignore[method-assign,assignment,return-value]
    if not spec.arm.by_length:
        order.POOL = 1
    if not spec.arm.frequencies:
        engine.start_from_frequencies = lambda model, counts: False
    settings = TrainSettings(
        num_train_epochs=1000,
        per_device_train_batch_size=spec.arm.batch,
        learning_rate=spec.arm.learning_rate,
        lr_scheduler_type="constant",
        weight_decay=spec.arm.weight_decay,
        attention_dropout=spec.arm.attention_dropout,
        hidden_dropout=spec.arm.hidden_dropout,
        precision=spec.arm.precision,
        seed=spec.seed,
        torch_compile=spec.arm.compiled,
        packing=spec.arm.packed,
        save_steps=10**6,
    )
    with tempfile.TemporaryDirectory() as folder:
        job = TrainJob(
            data=without_eval(spec, Path(folder)),
            output=Path(folder) / "out",
            checkpoints=Path(folder) / "local",
            settings=settings,
            location=spec.model,
            scratch=ScratchSettings(**spec.sizes) if spec.sizes else None,
        )
        job.output.mkdir()
        with engine_under(clock):
            report = engine.train(job)
    result = clock.result()
    if spec.arm.packed and result["padding_share"]:
        raise RuntimeError("the model takes no packed rows here")
    # Of the whole run, so brought to the speed after the first steps.
    ratio = result["tokens_per_second"] / report.tokens_per_second
    return result | {"mfu": report.mfu and report.mfu * ratio}


def without_eval(spec: Spec, folder: Path) -> Path:
    """The same corpus without held-out windows: the clock measures them for all arms alike."""
    splits = load_from_disk(str(Path(spec.corpus) / "windows"))
    splits.pop("eval", None)
    splits.save_to_disk(str(folder / "data" / "windows"))
    (folder / "data" / "tokenizer").symlink_to(Path(spec.corpus) / "tokenizer")
    return folder / "data"


def run_stock(spec: Spec, clock: Clock, tokenizer: Any) -> dict[str, Any]:
    """transformers' Trainer and collator, as the notebook and `run_mlm.py` use them."""
    arm, corpus = spec.arm, Path(spec.corpus)
    model = load(spec, tokenizer)
    set_seed(spec.seed)
    with tempfile.TemporaryDirectory() as folder:
        trainer = timed(Trainer, clock)(
            model,
            TrainingArguments(
                output_dir=folder,
                max_steps=10**6,
                per_device_train_batch_size=arm.batch,
                learning_rate=arm.learning_rate,
                lr_scheduler_type="constant",
                weight_decay=arm.weight_decay,
                bf16=hardware.choose_precision(arm.precision) == "bf16",
                use_cpu=not torch.cuda.is_available(),
                seed=spec.seed,
                save_strategy="no",
                logging_strategy="no",
                report_to=[],
                disable_tqdm=True,
            ),
            data_collator=DataCollatorForLanguageModeling(tokenizer, mlm_probability=0.15),
            train_dataset=stock_data(arm.data, corpus, tokenizer, spec.max_seq_length),
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    return clock.result()


def load(spec: Spec, tokenizer: Any) -> Any:
    """The initial weights, the same for every arm and seed."""
    return load_model(
        spec.model,
        scratch=ScratchSettings(**spec.sizes) if spec.sizes else None,
        vocab_size=len(tokenizer),
        pad_token_id=tokenizer.pad_token_id,
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


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
