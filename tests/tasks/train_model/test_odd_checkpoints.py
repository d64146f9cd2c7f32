"""A null in a checkpoint's files ends in a default or in one line, from the plan to the prediction."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import DatasetDict
from transformers import AutoConfig, AutoModelForMaskedLM

from tasks.errors import UserError
from tasks.models.checks import check_base_model, check_window
from tasks.models.pinned import resolve_model
from tasks.models.predicting import fill_masks
from tasks.models.settings import ModelSettings
from tasks.tokenize_corpus.settings import TokenizeSettings
from tasks.tokenize_corpus.stage import load_tokenizer
from tasks.tokenize_corpus.windows import tokenize_split
from tasks.train_model.job import TrainJob
from tasks.train_model.settings import TrainSettings
from tasks.train_model.training import train
from tests.tasks.tokenize_corpus.test_windows import Documents
from tests.tiny import SENTENCES, tiny_tokenizer

SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 66,
    "pad_token_id": 0,
}


def save_checkpoint(folder: Path, family: str) -> Path:
    """A tiny model of a family, with a tokenizer."""
    torch.manual_seed(0)
    config = AutoConfig.for_model(family, vocab_size=len(tiny_tokenizer()), **SIZES)
    AutoModelForMaskedLM.from_config(config).save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return folder


def whole_way(location: Path, folder: Path) -> list[list[tuple[str, float]]]:
    """Plan, check, tokenize and train two steps, and what the trained model says."""
    base = resolve_model(ModelSettings(name_or_path=str(location)))
    check_window(32, base)
    check_base_model(base, folder)
    tokenizer = load_tokenizer(base, lambda: [], folder)
    documents = Documents((sentence * 4, []) for sentence in SENTENCES)
    chosen = TokenizeSettings(max_seq_length=32)
    windows = {name: tokenize_split(documents, tokenizer, chosen, name)[0] for name in ("train", "eval")}
    data = folder / "data"
    tables = DatasetDict({name: table.dataset(name) for name, table in windows.items()})
    tables.save_to_disk(str(data / "windows"))
    tokenizer.save_pretrained(data / "tokenizer")
    for name in ("out", "checkpoints"):
        (folder / name).mkdir()
    train(
        TrainJob(
            data=data,
            output=folder / "out",
            checkpoints=folder / "checkpoints",
            settings=TrainSettings(max_steps=2, precision="fp32", processes=1),
            location=str(location),
        )
    )
    return fill_masks(folder / "out" / "model", "The quick [MASK] fox.", top_k=3)


@pytest.mark.parametrize(
    ("family", "file", "name", "told"),
    [
        ("bert", "tokenizer_config.json", "model_max_length", None),
        ("bert", "config.json", "pad_token_id", None),
        ("bert", "config.json", "max_position_embeddings", "a value that its type of model does not take"),
        ("bert", "tokenizer_config.json", "pad_token", "has no padding token"),
        ("bert", "tokenizer_config.json", "cls_token", None),
        ("roberta", "tokenizer_config.json", "model_max_length", None),
        ("roberta", "config.json", "pad_token_id", "but a roberta counts positions from it"),
        ("roberta", "config.json", "max_position_embeddings", "a value that its type of model does not take"),
    ],
)
def test_a_null_ends_in_a_default_or_in_one_line(
    family: str, file: str, name: str, told: str | None, tmp_path: Path
) -> None:
    """Whatever is null, the run goes the whole way, or is refused before anything is tokenized."""
    location = save_checkpoint(tmp_path / "holey", family)
    changed = json.loads((location / file).read_text()) | {name: None}
    (location / file).write_text(json.dumps(changed))
    if told is None:
        assert len(whole_way(location, tmp_path)[0]) == 3
        return
    with pytest.raises(UserError, match=told) as caught:
        whole_way(location, tmp_path)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "data").exists()
