"""A BERT from scratch, as its weights were drawn and after some seconds of masked words."""

import argparse
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
from datasets import Dataset, DatasetDict

from tasks.models.settings import ScratchSettings
from tasks.tokenize_corpus.settings import TokenizeSettings
from tasks.tokenize_corpus.windows import tokenize_split
from tasks.tokenize_corpus.wordpiece import train_tokenizer
from tasks.train_model.job import TrainJob
from tasks.train_model.model.loading import load_model
from tasks.train_model.settings import TrainSettings
from tasks.train_model.training import train
from tests.benchmarks.clock import Budget, Clock, engine_under

WINDOW = 128
"""Tokens of a window of masked words."""


@dataclass(frozen=True, slots=True)
class Begun:
    """Two folders of models to train on pairs."""

    scratch: Path
    trained: Path
    seconds: float
    """Of training on masked words."""


def scratch_models(options: argparse.Namespace, corpus: Path, folder: Path, seed: int) -> Begun:
    """Draw the weights by the seed, save them, and train a copy on masked words for its share of the time."""
    table = pq.read_table(corpus, columns=["text", "code_spans", "split"])
    splits = {name: [row for row in table.to_pylist() if row["split"] == name] for name in ("train", "eval")}
    sizes = ScratchSettings()
    tokenizer = train_tokenizer(lambda: iter([row["text"] for row in splits["train"]]), sizes)
    data, scratch = folder / "data", folder / "scratch"
    cut = TokenizeSettings(max_seq_length=WINDOW)
    windows = {}
    for name, rows in splits.items():
        columns = {column: [row[column] for row in rows] for column in ("text", "code_spans")}
        made, _ = tokenize_split(Dataset.from_dict(columns), tokenizer, cut, name)
        windows[name] = made.dataset(f"order-{name}")
    DatasetDict(windows).save_to_disk(str(data / "windows"))
    tokenizer.save_pretrained(data / "tokenizer")
    begun = load_model(
        None, scratch=sizes, vocab_size=len(tokenizer), pad_token_id=tokenizer.pad_token_id,
        max_seq_length=WINDOW, seed=seed,
    )  # fmt: skip
    begun.save_pretrained(scratch)
    tokenizer.save_pretrained(scratch)
    settings = TrainSettings(
        num_train_epochs=1000, per_device_train_batch_size=16, learning_rate=options.mlm_learning_rate,
        lr_scheduler_type="constant", seed=seed, save_steps=10**6,
    )  # fmt: skip
    clock = Clock(
        Budget(
            measure="seconds", amount=options.mlm_share * options.seconds,
            learning_rate=options.mlm_learning_rate, warmup_share=settings.warmup_share,
        ),
        held_out=None,
    )  # fmt: skip
    job = TrainJob(
        data=data, output=folder / "mlm", checkpoints=folder / "local", settings=settings, scratch=sizes
    )
    job.output.mkdir(parents=True)
    with engine_under(clock):
        train(job)
    return Begun(scratch, job.output / "model", clock.result()["seconds"])
