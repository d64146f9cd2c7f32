"""Texts, and a tokenizer of them."""

import pytest

from tasks.models.settings import ScratchSettings
from tasks.tokenize_corpus.wordpiece import train_tokenizer

TEXTS = [
    "The quick brown fox jumps over the lazy dog. It runs far.\n\nThen it sleeps near the river bank.",
    "Azure Arc connects servers, clusters and data services to the control plane.\n" * 12,
    "short",
]


@pytest.fixture(scope="module")
def tokenizer():
    """A WordPiece tokenizer trained on the texts above."""
    return train_tokenizer(lambda: TEXTS, ScratchSettings(vocab_size=300))
