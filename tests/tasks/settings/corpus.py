"""Windows whose every token says of which window it is and at which place, so that any batch can be read.

All windows are alike: `[CLS]`, 40 tokens, `[SEP]`. Where words, sentences and code begin follows from the
place alone, and four windows are a document.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset, DatasetDict
from transformers import BertConfig, BertForMaskedLM, BertTokenizer

from tasks.boundaries import INSIDE_WORD, SENTENCE, WORD
from tasks.models.settings import ScratchSettings

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
CLS, SEP, MASK = 2, 3, 4
FIRST = len(SPECIAL)
"""The id of the first token of the first window."""
PLACES, WINDOWS, HELD_OUT = 40, 60, 12
WORDS = [1, 2, 3, 1, 1, 4, 2, 1, 3, 2] * 2
"""Tokens of each word of a window: two times twenty."""
CODE = np.arange(PLACES) >= PLACES // 2
"""(places,) the second half of every window is code."""
VOCABULARY = FIRST + WINDOWS * PLACES
WORD_OF = np.repeat(np.arange(len(WORDS)), WORDS)
"""(places,) the number of each token's word."""
SENTENCES = (np.diff(WORD_OF, prepend=-1) != 0) & (WORD_OF % 4 == 0)
"""(places,) a sentence begins every four words."""
TINY = ScratchSettings(
    hidden_size=32,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=64,
    max_position_embeddings=64,
)


def tokens_of(window: int) -> np.ndarray:
    """(places,) the tokens of a window."""
    return FIRST + window * PLACES + np.arange(PLACES)


def window_of(row: np.ndarray) -> int:
    """The window that a masked row is of: most of its tokens say so."""
    said = row[row >= FIRST] - FIRST
    return int(np.bincount(said // PLACES).argmax())


def rows(windows: range, *, in_document: int, sentences: np.ndarray) -> Dataset:
    """Some windows as the tokenize stage writes them."""
    begins = np.diff(WORD_OF, prepend=-1) != 0
    levels = np.where(sentences, SENTENCE, np.where(begins, WORD, INSIDE_WORD))
    return Dataset.from_dict(
        {
            "input_ids": [[CLS, *tokens_of(window).tolist(), SEP] for window in windows],
            "code": [[False, *CODE.tolist(), False] for _ in windows],
            "boundaries": [[WORD, *levels.tolist(), WORD] for _ in windows],
            "document": [place // in_document for place in range(len(windows))],
        }
    )


def save_corpus(folder: Path, *, in_document: int = 4, sentences: np.ndarray = SENTENCES) -> Path:
    """Write windows and tokenizer into `folder`, as the tokenize stage does.

    Args:
        in_document: windows of each document.
        sentences: (places,) where sentences begin in every window.
    """
    how: dict[str, Any] = {"in_document": in_document, "sentences": sentences}
    splits = {"train": rows(range(WINDOWS), **how), "eval": rows(range(HELD_OUT), **how)}
    DatasetDict(splits).save_to_disk(str(folder / "windows"))
    tokenizer().save_pretrained(folder / "tokenizer")
    return folder


def tokenizer() -> BertTokenizer:
    """A tokenizer of all tokens."""
    words = [*SPECIAL, *(f"token{number}" for number in range(VOCABULARY - FIRST))]
    return BertTokenizer(vocab={token: number for number, token in enumerate(words)}, model_max_length=64)


def new_model(seed: int) -> BertForMaskedLM:
    """The BERT of `TINY`'s sizes whose random weights follow from `seed`."""
    torch.manual_seed(seed)
    sizes = TINY.model_dump(exclude={"vocab_size", "lowercase"})
    return BertForMaskedLM(BertConfig(vocab_size=VOCABULARY, pad_token_id=0, **sizes))
