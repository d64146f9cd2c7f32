"""What is masked together: single tokens, whole words, or spans of words.

A strategy cuts each window into units, and the units are then chosen alike: in the order of their draws,
until the window's budget of tokens is spent. The unit that would overdraw it is taken with a chance of what
is left over its size, so that the expected share of masked tokens is the rate, whatever the units.

- `whole_word` (Devlin et al., 2019): a unit is a word of the pre-tokenizer, all its pieces together; each
  token's fate (80/10/10) is its own, as in BERT's code.
- `span` (Joshi et al., SpanBERT, 2020): a unit is a span of words, its length drawn from a geometric
  distribution (p = 0.2) cut at 10 words, 3.8 on average; a span has one fate for all its tokens.

A word of more than `LONGEST` pieces, such as a digest, is cut into several: as one unit it would take a short
window's whole budget.
"""

from typing import Literal

import numpy as np
import numpy.typing as npt

from tasks.train_model.batches.counting import Flags, Tokens, Words, draws, uniform

Strategy = Literal["token", "whole_word", "span"]

LONGEST = 10
"""Most pieces of a word that are masked together, and most words of a span."""
SPAN_P = 0.2
_SPANS = 6
"""The stream of span lengths (see `masking`)."""


def units(strategy: Strategy, begins: Flags, special: Flags, keys: Words) -> Tokens:
    """(batch, positions) for each token the position at which its unit begins.

    Args:
        begins: (batch, positions) where words begin.
        special: (batch, positions) special tokens and padding; no unit goes on across one.
        keys: (batch,) the windows' keys.
    """
    steps = np.arange(begins.shape[1])
    if strategy == "token":
        return np.broadcast_to(steps, begins.shape)
    edge = special.copy()
    edge[:, 1:] |= special[:, :-1]
    begins = begins | edge
    begins[:, 0] = True
    begins = begins | ((steps - _latest(begins)) % LONGEST == 0)
    if strategy == "span":
        begins = begins & (span_begins(begins, keys) | edge)
    return _latest(begins)


def span_begins(words: Flags, keys: Words) -> Flags:
    """Of the places where words begin, those where spans do: a span follows the one before it.

    Args:
        words: (batch, positions) where words begin; the first position is one.
    """
    number = words.cumsum(axis=1) - 1  # of each token's word in its window
    lengths = span_lengths(draws(keys, _SPANS, int(number.max(initial=0)) + 1))
    ends = lengths.cumsum(axis=1)
    first = np.zeros((len(words), int(ends.max(initial=0)) + 1), np.bool_)
    first[:, 0] = True
    np.put_along_axis(first, ends, values=True, axis=1)
    found: Flags = np.take_along_axis(first, number, axis=1) & words
    return found


def span_lengths(words: Words) -> Tokens:
    """Lengths in words: geometric, and of the lengths up to `LONGEST` only."""
    shares = SPAN_P * (1 - SPAN_P) ** np.arange(LONGEST)
    lengths: Tokens = np.searchsorted((shares / shares.sum()).cumsum()[:-1], uniform(words), "right") + 1
    return lengths


def choose_units(
    first: Tokens, priorities: Words, maskable: Flags, budgets: Tokens, luck: npt.NDArray[np.float64]
) -> Flags:
    """The tokens of the units of lowest priority, as many as each window's budget allows.

    Args:
        first: (batch, positions) where each token's unit begins.
        priorities: (batch, positions) draws; a unit's is that of its first position.
        maskable: (batch, positions) what may be chosen.
        budgets: (batch,) tokens to choose.
        luck: (batch,) uniform in [0, 1): decides over the unit that would overdraw the budget.
    """
    drawn = np.take_along_axis(priorities, first, axis=1) >> np.uint64(1)
    order = np.argsort(np.where(maskable, drawn, ~np.uint64(0)), axis=1, kind="stable")
    # In this order a unit's tokens stand together: two units draw alike once in 2^63 times.
    unit = np.take_along_axis(first, order, axis=1)
    new = np.diff(unit, axis=1, prepend=-1) != 0
    steps = np.arange(first.shape[1])
    before = np.maximum.accumulate(np.where(new, steps, 0), axis=1)
    rows = np.arange(len(first))[:, None]
    counts = np.zeros(first.shape, np.int64)
    np.add.at(counts, (rows, first), maskable)
    size = np.maximum(np.take_along_axis(counts, unit, axis=1), 1)
    left = budgets[:, None] - before
    taken = (left > 0) & ((size <= left) | (luck[:, None] * size < left))
    chosen = np.zeros(first.shape, np.bool_)
    np.put_along_axis(chosen, order, taken, axis=1)
    found: Flags = chosen & maskable
    return found


def _latest(begins: Flags) -> Tokens:
    """For each position the latest one, up to it, that is set; 0 where there is none."""
    steps = np.arange(begins.shape[1])
    latest: Tokens = np.maximum.accumulate(np.where(begins, steps, 0), axis=1)
    return latest
