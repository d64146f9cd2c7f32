"""A few masked held-out sentences and what the model puts in: the part of a result that a person can feel."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase
from transformers.modeling_utils import PreTrainedModel

from tasks.train_model.batches.windows import Windows
from tasks.train_model.card import learnt_first
from tasks.train_model.model.heads import mlm_logits
from tasks.train_model.model.modes import evaluating

SAMPLES = 3
"""Shown whatever the model makes of them."""
POOL = 64
"""Places among which those are sought that training improved."""
IMPROVED = 2
"""Shown of those."""
AROUND = 12
"""Tokens shown, to a person and to the model, on each side of the mask."""
LETTERS = 4
"""A word of fewer letters is seldom interesting."""
POOL_LETTERS = 3
"""Nor is one of these, but it is what a small model learns first."""
AT_ONCE = 8
"""Texts of one forward pass: a large vocabulary makes large scores."""


def sample_places(windows: Windows, tokenizer: PreTrainedTokenizerBase) -> list[tuple[int, int]]:
    """Windows and positions to mask: whole words of prose, far apart in the held-out documents.

    The same for the same windows. The first `SAMPLES` are the longest words of their windows, since those say
    more; then come words of every length.
    """
    starts_word = np.array(_word_starts(tokenizer))
    found: list[tuple[int, int]] = []
    for first in np.linspace(0, len(windows), SAMPLES, endpoint=False).astype(int):
        candidates = (
            (w, p) for w in range(first, len(windows)) for p in _words(windows, w, starts_word, LETTERS)
        )
        found += [place for place in [next(candidates, None)] if place and place not in found]
    for number, window in enumerate(np.linspace(0, len(windows), POOL, endpoint=False).astype(int).tolist()):
        if words := list(_words(windows, window, starts_word, POOL_LETTERS)):
            place = (window, words[number % len(words)])
            found += [place] if place not in found else []
    return found


def fill(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    windows: Windows,
    places: list[tuple[int, int]],
) -> list[list[str]]:
    """The three best tokens for each masked place, the best first, from what is shown of its text alone."""
    starts_word = np.array(_word_starts(tokenizer))
    best: list[list[str]] = []
    with evaluating(model), torch.inference_mode():
        for first in range(0, len(places), AT_ONCE):
            texts = [_masked(windows, place, starts_word, tokenizer) for place in places[first:][:AT_ONCE]]
            ids = torch.nn.utils.rnn.pad_sequence(texts, True, int(tokenizer.pad_token_id)).to(model.device)
            there = (ids != tokenizer.pad_token_id).long()
            scores = mlm_logits(model(input_ids=ids, attention_mask=there))
            # A model may answer for more positions than it is asked about.
            top = scores[(ids == tokenizer.mask_token_id).nonzero(as_tuple=True)].topk(3).indices.tolist()
            best += [[tokenizer.decode([token]).strip() for token in tokens] for tokens in top]
    return best


def fill_samples(
    windows: Windows,
    tokenizer: PreTrainedTokenizerBase,
    places: list[tuple[int, int]],
    before: list[list[str]],
    after: list[list[str]],
) -> list[dict[str, Any]]:
    """The samples as a record: `text` with a [MASK], `answer`, and the predictions `before` and `after`.

    The first `SAMPLES` are there in any case; of the rest those whose answer training improved most.
    """
    starts_word = np.array(_word_starts(tokenizer))
    samples = []
    for (window, position), old, new in zip(places, before, after, strict=True):
        ids, shown = _ids(windows, window), _excerpt(windows, (window, position), starts_word)
        left = tokenizer.decode(ids[shown.start : position].tolist())
        right = tokenizer.decode(ids[position + 1 : shown.stop].tolist())
        samples.append(
            {
                "text": f"{left.strip()} {tokenizer.mask_token} {right.strip()}".strip(),
                "answer": tokenizer.decode([int(ids[position])]).strip(),
                "before": old,
                "after": new,
            }
        )
    return samples[:SAMPLES] + learnt_first(samples[SAMPLES:])[:IMPROVED]


def _masked(
    windows: Windows, place: tuple[int, int], starts_word: Any, tokenizer: PreTrainedTokenizerBase
) -> torch.Tensor:
    """(tokens,) what is shown around a place, between the special tokens, with the mask in its middle."""
    window, position = place
    ids, shown = _ids(windows, window).astype(np.int64), _excerpt(windows, place, starts_word)
    ids[position] = tokenizer.mask_token_id
    return torch.from_numpy(np.concatenate((ids[:1], ids[shown.start : shown.stop], ids[-1:])))


def _excerpt(windows: Windows, place: tuple[int, int], starts_word: Any) -> range:
    """The positions of what is shown around a place: whole words, without the special tokens at the ends."""
    window, position = place
    ids = _ids(windows, window)
    start, end = max(1, position - AROUND), min(len(ids) - 1, position + 1 + AROUND)
    while start < position and not starts_word[ids[start]]:
        start += 1
    while position + 1 < end < len(ids) - 1 and not starts_word[ids[end]]:
        end -= 1
    return range(start, end)


def _ids(windows: Windows, window: int) -> Any:
    return windows.ids[windows.offsets[window] : windows.offsets[window + 1]]


def _words(windows: Windows, window: int, starts_word: Any, letters: int) -> Iterator[int]:
    """Positions of one-token words of prose in the middle half of a window, the longest word first."""
    start, end = windows.offsets[window], windows.offsets[window + 1]
    ids, code, length = windows.ids[start:end], windows.code[start:end], int(end - start)
    if length < 2 * AROUND:
        return
    places = [
        p
        for p in range(length // 4, length * 3 // 4)
        # The token after must start a word too, or this is only the first piece of one.
        if starts_word[ids[p]] >= letters and starts_word[ids[p + 1]] and not code[p]
    ]
    yield from sorted(places, key=lambda p: (-starts_word[ids[p]], p))


def _word_starts(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """For each token, the length of the word that it starts if it is all letters, else 1; 0 if it goes on."""
    tokens = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
    # WordPiece marks pieces that go on (##ing); SentencePiece and byte-level BPE mark those that start.
    marks = next((m for m in ("Ġ", "▁") if any(t.startswith(m) for t in tokens)), None)
    lengths = []
    for token in tokens:
        if marks is None:
            goes_on, word = token.startswith("##"), token
        else:
            goes_on, word = token.isalpha() and not token.startswith(marks), token.removeprefix(marks)
        lengths.append(0 if goes_on else len(word) if word.isalpha() else 1)
    return lengths
