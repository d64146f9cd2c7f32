"""The masked sentences that a person sees."""

from pathlib import Path

import pytest
from transformers import AutoTokenizer

from tasks.train_model.batches.windows import Windows
from tasks.train_model.model.loading import load_model
from tasks.train_model.model.samples import fill, fill_samples, sample_places
from tasks.train_model.reading import read_windows
from tests.tasks.train_model.conftest import TINY


@pytest.fixture
def held_out(tokenized: Path) -> Windows:
    """The held-out windows."""
    return read_windows(tokenized)["eval"]


def test_samples_are_words_of_prose_and_stay_the_same(tokenized: Path, held_out: Windows) -> None:
    """Three whole words in the middle of three windows of prose, the same every time."""
    tokenizer = AutoTokenizer.from_pretrained(tokenized / "tokenizer")
    places = sample_places(held_out, tokenizer)
    assert places == sample_places(held_out, tokenizer)
    assert len({window for window, _ in places}) == 3
    for window, position in places:
        start, length = held_out.offsets[window], held_out.lengths[window]
        assert not held_out.code[start + position]
        assert length // 4 <= position < length * 3 // 4
        assert tokenizer.convert_ids_to_tokens(int(held_out.ids[start + position])).startswith("word")


def test_a_sample_shows_text_answer_and_predictions(tokenized: Path, held_out: Windows) -> None:
    """A sample has one mask, the word that stood there, and three predictions before and after."""
    tokenizer = AutoTokenizer.from_pretrained(tokenized / "tokenizer")
    model = load_model(None, scratch=TINY, vocab_size=125, pad_token_id=0, max_seq_length=40, seed=3)
    places = sample_places(held_out, tokenizer)
    best = fill(model, tokenizer, held_out, places)
    samples = fill_samples(held_out, tokenizer, places, best, best)
    for sample, (window, position) in zip(samples, places, strict=True):
        assert sample["text"].count("[MASK]") == 1
        assert "[CLS]" not in sample["text"]
        assert sample["answer"] == tokenizer.decode([int(held_out.ids[held_out.offsets[window] + position])])
        assert len(sample["before"]) == len(sample["after"]) == 3
