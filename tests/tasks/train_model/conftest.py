"""A tiny corpus of windows with structure that a model can learn, its tokenizer, and a tiny BERT."""

from pathlib import Path

import numpy as np
import pytest
from datasets import Dataset, DatasetDict
from transformers import BertTokenizer

from tasks.models.settings import ScratchSettings
from tasks.stage.log import stage_logger

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = [f"word{chr(97 + i // 26)}{chr(97 + i % 26)}" for i in range(120)]
TINY = ScratchSettings(
    hidden_size=32,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=64,
    max_position_embeddings=64,
)


def make_windows(count: int, seed: int, *, longest: int = 40) -> Dataset:
    """Windows of many lengths, in which a few of the words stand in a regular order: easy to learn."""
    generator = np.random.default_rng(seed)
    rows = {"input_ids": [], "code": [], "boundaries": [], "document": []}
    for window in range(count):
        length = int(generator.integers(6, longest - 1))
        start, stride = int(generator.integers(12)), int(generator.integers(1, 4))
        body = [len(SPECIAL) + (start + stride * i) % 12 for i in range(length)]
        rows["input_ids"].append([2, *body, 3])
        rows["code"].append([False, *([window % 3 == 0] * length), False])
        # A sentence every seven words, of words of one token.
        rows["boundaries"].append([1, *(1 + (i % 7 == 0) for i in range(length)), 1])
        rows["document"].append(window // 4)
    return Dataset.from_dict(rows)


@pytest.fixture(scope="session")
def tokenized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the tokenize stage writes it: 50 training windows and 20 held-out ones."""
    folder = tmp_path_factory.mktemp("tokenized")
    splits = {"train": make_windows(50, seed=1), "eval": make_windows(20, seed=2)}
    DatasetDict(splits).save_to_disk(str(folder / "windows"))
    vocabulary = {token: number for number, token in enumerate([*SPECIAL, *WORDS])}
    BertTokenizer(vocab=vocabulary, model_max_length=64).save_pretrained(folder / "tokenizer")
    return folder


@pytest.fixture(scope="session", autouse=True)
def log_is_set_up() -> None:
    """Let Prefect, where it is imported, set up the log before a test listens: it takes listeners away."""
    stage_logger()
