"""A few masked held-out sentences and what the model puts in: the part of a result that a person can feel."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase
from transformers.modeling_utils import PreTrainedModel

from tasks.train_model.batches.windows import Windows
from tasks.train_model.model.heads import mlm_logits
from tasks.train_model.model.modes import evaluating

SAMPLES = 3
AROUND = 12
"""Tokens shown on each side of the mask."""
LETTERS = 4
"""A word of fewer letters is seldom interesting."""


def sample_places(windows: Windows, tokenizer: PreTrainedTokenizerBase) -> list[tuple[int, int]]:
    """Windows and positions to mask: whole words of prose, far apart in the held-out documents.

    The same for the same windows. Longer words come first within a window, since they say more.
    """
    starts_word = np.array(_word_starts(tokenizer))
    found: list[tuple[int, int]] = []
    for first in np.linspace(0, len(windows), SAMPLES, endpoint=False).astype(int):
        candidates = ((w, p) for w in range(first, len(windows)) for p in _words(windows, w, starts_word))
        found += [place for place in [next(candidates, None)] if place and place not in found]
    return found


def fill(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    windows: Windows,
    places: list[tuple[int, int]],
) -> list[list[str]]:
    """The three best tokens for each masked place, the best first."""
    best = []
    with evaluating(model), torch.inference_mode():
        for window, position in places:
            ids = torch.from_numpy(_ids(windows, window).astype(np.int64))[None].to(model.device)
            ids[0, position] = tokenizer.mask_token_id
            top = mlm_logits(model(input_ids=ids))[0, position].topk(3).indices.tolist()
            best.append([tokenizer.decode([token]).strip() for token in top])
    return best


def fill_samples(
    windows: Windows,
    tokenizer: PreTrainedTokenizerBase,
    places: list[tuple[int, int]],
    before: list[list[str]],
    after: list[list[str]],
) -> list[dict[str, Any]]:
    """The samples as a record: `text` with a [MASK], `answer`, and the predictions `before` and `after`."""
    samples = []
    for (window, position), old, new in zip(places, before, after, strict=True):
        ids = _ids(windows, window)
        left = tokenizer.decode(ids[max(1, position - AROUND) : position].tolist())
        right = tokenizer.decode(ids[position + 1 : min(len(ids) - 1, position + 1 + AROUND)].tolist())
        samples.append(
            {
                "text": f"{left.strip()} {tokenizer.mask_token} {right.strip()}".strip(),
                "answer": tokenizer.decode([int(ids[position])]).strip(),
                "before": old,
                "after": new,
            }
        )
    return samples


def _ids(windows: Windows, window: int) -> Any:
    return windows.ids[windows.offsets[window] : windows.offsets[window + 1]]


def _words(windows: Windows, window: int, starts_word: Any) -> Iterator[int]:
    """Positions of one-token words of prose in the middle half of a window, the longest word first."""
    start, end = windows.offsets[window], windows.offsets[window + 1]
    ids, code, length = windows.ids[start:end], windows.code[start:end], int(end - start)
    if length < 2 * AROUND:
        return
    places = [
        p
        for p in range(length // 4, length * 3 // 4)
        # The token after must start a word too, or this is only the first piece of one.
        if starts_word[ids[p]] >= LETTERS and starts_word[ids[p + 1]] and not code[p]
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
