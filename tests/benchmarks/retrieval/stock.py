"""sentence-transformers' own script for such pairs, as its documentation has it."""

import time
from pathlib import Path
from typing import Any

from sentence_transformers import (
    SentenceTransformer,
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
)
from sentence_transformers.sentence_transformer.losses import CachedMultipleNegativesRankingLoss
from sentence_transformers.sentence_transformer.training_args import BatchSamplers
from transformers import PrinterCallback, TrainerCallback

from tasks.embed_model.rows import read_pairs
from tasks.embed_model.settings import EmbedSettings


class Steps(TrainerCallback):
    """The seconds of the steps alone."""

    def __init__(self) -> None:
        self.seconds, self.since = 0.0, 0.0

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        """Start the clock."""
        self.since = time.perf_counter()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        """Stop it."""
        self.seconds += time.perf_counter() - self.since


def stock(model: Path, pairs: Path, batch: int, steps: int, folder: Path) -> float:
    """Pairs/s of its trainer with its defaults, but for what is asked: the batch and the steps."""
    encoder, clock = SentenceTransformer(str(model)), Steps()
    encoder.max_seq_length = EmbedSettings().max_seq_length
    trainer = SentenceTransformerTrainer(
        model=encoder,
        args=SentenceTransformerTrainingArguments(
            output_dir=str(folder),
            per_device_train_batch_size=batch,
            max_steps=steps,
            learning_rate=EmbedSettings().learning_rate,
            batch_sampler=BatchSamplers.NO_DUPLICATES,
            report_to=[],
            save_strategy="no",
            disable_tqdm=True,
        ),
        train_dataset=read_pairs(pairs).rows(),
        loss=CachedMultipleNegativesRankingLoss(encoder, mini_batch_size=32),
        callbacks=[clock],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    return steps * batch / clock.seconds
