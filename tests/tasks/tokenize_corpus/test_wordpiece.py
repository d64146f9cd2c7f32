"""A tokenizer learned from texts."""

from tasks.models.settings import ScratchSettings
from tasks.tokenize_corpus.wordpiece import train_tokenizer
from tests.tasks.tokenize_corpus.conftest import TEXTS


def test_training_a_tokenizer_is_repeatable(tokenizer):
    """The same texts give the same vocabulary with the same ids."""
    again = train_tokenizer(lambda: TEXTS, ScratchSettings(vocab_size=300))
    assert again.get_vocab() == tokenizer.get_vocab()
    assert again("Azure Arc") == tokenizer("Azure Arc")
