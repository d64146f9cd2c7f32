"""A vocabulary that does not fit the texts is noticed."""

import numpy as np
import pytest
from datasets import Dataset

from tasks.boundaries import INSIDE_WORD, SENTENCE, WORD
from tasks.models.settings import ScratchSettings
from tasks.tokenize_corpus.fitting import Fit
from tasks.tokenize_corpus.settings import TokenizeSettings
from tasks.tokenize_corpus.windows import tokenize_split
from tasks.tokenize_corpus.wordpiece import train_tokenizer

ENGLISH = ["The service reads its configuration from the file beside it and starts again."] * 40
OTHERS = {
    "Russian": "Эта команда запускает службу и читает конфигурацию из файла.",
    "Chinese": "此命令启动服务并从文件中读取配置。",
    "made up": "Xylqv wrompt jozzif kwabble fnordig.",
}


@pytest.fixture(scope="module")
def tokenizer():
    """A tokenizer that was learned from English."""
    return train_tokenizer(lambda: iter(ENGLISH), ScratchSettings(vocab_size=300))


def fit_of(tokenizer, text):
    """What is counted of a text in windows, half of which is code."""
    spans = [{"start": len(text) + 2, "end": len(text) + 10}]
    rows = Dataset.from_dict({"text": [f"{text}\n\nqzjx qzjx"], "code_spans": [spans]})
    fit = Fit(tokenizer.unk_token_id)
    tokenize_split(rows, tokenizer, TokenizeSettings(max_seq_length=16), "train", fit=fit)
    return fit


def test_a_fitting_vocabulary_is_not_complained_of(tokenizer):
    """Of texts that it was learned from each word is one piece, and none is unknown; code does not count."""
    fit = fit_of(tokenizer, ENGLISH[0])
    assert (fit.pieces_per_word, fit.unknown_share, fit.warning("m")) == (1.0, 0.0, None)


@pytest.mark.parametrize("language", OTHERS)
def test_texts_of_another_language_are_told(tokenizer, language):
    """The message has both figures, their limits and the ways out."""
    warning = fit_of(tokenizer, OTHERS[language]).warning("some/bert")
    for part in (
        "some/bert",
        "pieces a word",
        "unknown",
        "model.name_or_path",
        "filter.languages",
        "from scratch",
    ):
        assert part in warning


def test_pieces_and_unknown_ones_are_counted_in_prose():
    """Two words of three pieces, one of them unknown, and code that counts for nothing."""
    fit = Fit(unknown_id=9)
    levels = np.array([SENTENCE, INSIDE_WORD, WORD, WORD, INSIDE_WORD], np.uint8)
    code = np.array([False, False, False, True, True])
    fit.add(np.array([1, 2, 9, 9, 9], np.int32), levels, code)
    assert (fit.pieces_per_word, fit.unknown_share) == (1.5, 1 / 3)


def test_nothing_fits_everything():
    """Without words there is nothing to complain of."""
    assert Fit(None).warning("m") is None
