"""Pairs to train on, as `pair_documents` writes them, and a training of a tiny model."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.embed_model.settings import EmbedSettings
from tasks.embed_model.training import EmbedJob
from tests.tasks.retrieval.models import some_texts

SETTINGS = EmbedSettings(
    enabled=True, max_seq_length=32, batch_size=4, mini_batch_size=2, logging_steps=1, save_steps=2,
    learning_rate=1e-3, precision="fp32",
)  # fmt: skip


def write_pairs(folder: Path, count: int = 16, held_out: int = 4) -> Path:
    """Passages, two a document, and a query of the first of each; the last documents are held out."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = some_texts(3 * count, seed=3)
    splits = ["train"] * (count - held_out) + ["eval"] * held_out
    passages = [
        {"passage": 2 * page + part, "split": splits[page], "text": texts[2 * page + part]}
        for page in range(count)
        for part in range(2)
    ]
    pairs = [
        {"query": texts[2 * count + page], "passages": [2 * page, 2 * page + 1], "split": splits[page]}
        for page in range(count)
    ]
    pq.write_table(pa.Table.from_pylist(passages), folder / "passages.parquet")
    pq.write_table(pa.Table.from_pylist(pairs), folder / "pairs.parquet")
    return folder


def job(folder: Path, model: Path, *, resume_from: Path | None = None, **changes: object) -> EmbedJob:
    """A training in a folder of its own."""
    (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
    return EmbedJob(
        pairs=write_pairs(folder / "pairs"),
        model=model,
        output=folder / "made",
        checkpoints=folder / "checkpoints",
        settings=EmbedSettings.model_validate(SETTINGS.model_dump() | changes),
        resume_from=resume_from,
    )


def weights(folder: Path) -> dict[str, bytes]:
    """The bytes of every tensor of a saved model."""
    from safetensors.numpy import load_file

    return {name: value.tobytes() for name, value in load_file(folder / "model.safetensors").items()}
