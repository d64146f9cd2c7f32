"""The masked sentences that a person sees."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer
from transformers.modeling_utils import PreTrainedModel

from tasks.train_model.batches.windows import Windows
from tasks.train_model.model.loading import load_model
from tasks.train_model.model.modes import evaluating
from tasks.train_model.model.samples import AROUND, SAMPLES, fill, fill_samples, sample_places
from tasks.train_model.reading import read_windows
from tests.tasks.train_model.conftest import TINY


@pytest.fixture
def held_out(tokenized: Path) -> Windows:
    """The held-out windows."""
    return read_windows(tokenized)["eval"]


@pytest.fixture
def tokenizer(tokenized: Path) -> Any:
    """The tokenizer of the windows."""
    return AutoTokenizer.from_pretrained(tokenized / "tokenizer")


@pytest.fixture
def model() -> PreTrainedModel:
    """A model that has learnt nothing."""
    return load_model(None, scratch=TINY, vocab_size=125, pad_token_id=0, max_seq_length=40, seed=3)


def test_samples_are_words_of_prose_and_stay_the_same(tokenizer: Any, held_out: Windows) -> None:
    """Whole words in the middle of windows of prose, the first three far apart, the same every time."""
    places = sample_places(held_out, tokenizer)
    assert places == sample_places(held_out, tokenizer)
    assert len({window for window, _ in places[:SAMPLES]}) == SAMPLES < len(places) == len(set(places))
    for window, position in places:
        start, length = held_out.offsets[window], held_out.lengths[window]
        assert not held_out.code[start + position]
        assert length // 4 <= position < length * 3 // 4
        assert tokenizer.convert_ids_to_tokens(int(held_out.ids[start + position])).startswith("word")


def test_a_sample_shows_text_answer_and_predictions(
    tokenizer: Any, model: PreTrainedModel, held_out: Windows
) -> None:
    """A sample has one mask, the word that stood there, and three predictions before and after."""
    places = sample_places(held_out, tokenizer)
    best = fill(model, tokenizer, held_out, places)
    samples = fill_samples(held_out, tokenizer, places, best, best)
    assert len(samples) == SAMPLES
    for sample, (window, position) in zip(samples, places[:SAMPLES], strict=True):
        assert sample["text"].count("[MASK]") == 1
        assert "[CLS]" not in sample["text"]
        assert not sample["text"].startswith("##")
        assert sample["answer"] == tokenizer.decode([int(held_out.ids[held_out.offsets[window] + position])])
        assert len(sample["before"]) == len(sample["after"]) == 3


def test_what_is_shown_is_what_the_model_saw(
    tokenizer: Any, model: PreTrainedModel, held_out: Windows
) -> None:
    """The text of a sample, given to the model alone, gets the same guesses."""
    places = sample_places(held_out, tokenizer)
    guesses = fill(model, tokenizer, held_out, places)
    samples = fill_samples(held_out, tokenizer, places, guesses, guesses)
    for sample, expected in zip(samples, guesses, strict=False):
        given = tokenizer(sample["text"], return_tensors="pt")
        assert given["input_ids"].shape[1] <= 2 * AROUND + 3
        with evaluating(model), torch.inference_mode():
            scores = model(**given).logits[0, given["input_ids"][0] == tokenizer.mask_token_id]
        assert [tokenizer.decode([token]).strip() for token in scores[0].topk(3).indices.tolist()] == expected


def test_what_was_learnt_is_among_the_samples(tokenizer: Any, held_out: Windows) -> None:
    """Of the places beyond the first three those are shown whose answer training moved up, the best first."""
    places = sample_places(held_out, tokenizer)
    answers = [tokenizer.decode([int(held_out.ids[held_out.offsets[w] + p])]).strip() for w, p in places]
    before = [["x", "y", "z"] for _ in places]
    after = [list(words) for words in before]
    after[SAMPLES + 1] = ["x", "y", answers[SAMPLES + 1]]
    after[SAMPLES + 4] = [answers[SAMPLES + 4], "y", "z"]
    after[SAMPLES + 5] = ["x", answers[SAMPLES + 5], "z"]
    samples = fill_samples(held_out, tokenizer, places, before, after)
    assert [sample["answer"] for sample in samples[SAMPLES:]] == [answers[SAMPLES + 4], answers[SAMPLES + 5]]
    assert all(sample["answer"] in sample["after"] for sample in samples[SAMPLES:])
