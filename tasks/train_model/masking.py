"""Which tokens the model must predict, drawn by counting instead of by a generator with a state.

Every draw is a hash of (seed, epoch, window, position): the same for any batch, rank, data worker or restart,
and another one in each epoch. The hash is SplitMix64's output function (Steele, Lea, Flood: Fast Splittable
Pseudorandom Number Generators, 2014), a few vector operations for a whole batch.

The rule. Of a window's n maskable tokens (no special token, no padding), exactly ⌊n·rate + u⌋ are chosen, u
uniform in [0, 1) of the window: each token with probability `rate`, without the spread of n coin tosses, so
every window has its share of the loss. Units (here single tokens) are taken in the order of their draws
until the window's budget is spent. Of the chosen tokens `mask_share` become [MASK], `random_share` a random
token that is not special, and the others stay as they are (Devlin et al., BERT, 2018: 0.8 and 0.1).
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

IGNORED = -100
"""The label of a token that is not predicted, as in torch's cross-entropy."""

Words = npt.NDArray[np.uint64]
Tokens = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_GOLDEN = 0x9E3779B97F4A7C15
_WORD = (1 << 64) - 1
_WINDOW, _CHOICE, _FATE = 1, 2, 3
"""Streams: independent draws of the same place."""


def mix(values: Words) -> Words:
    """SplitMix64's output function: a bijection of 64-bit words that spreads every bit over all."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def window_keys(seed: int, epoch: int, windows: Tokens) -> Words:
    """One 64-bit key for each window of an epoch.

    Args:
        seed: the run's seed.
        epoch: counted from 0.
        windows: (batch,) the windows' places in the dataset.
    """
    run = mix(_word(seed + _GOLDEN))
    pass_over = mix(run + _word((epoch + 1) * _GOLDEN))
    return mix(pass_over ^ mix(windows.astype(np.uint64) + _word(_GOLDEN)))


def draws(keys: Words, stream: int, positions: int) -> Words:
    """(batch, positions) uniform 64-bit words, one for each position of each window."""
    base = mix(keys + _word(stream * _GOLDEN))
    steps = np.arange(1, positions + 1, dtype=np.uint64) * _word(_GOLDEN)
    return mix(base[:, None] + steps[None, :])


def _word(number: int) -> Words:
    """A number's lower 64 bits, as an array: numpy warns of scalars that wrap round, as they are meant to."""
    return np.array([number & _WORD], np.uint64)


def uniform(words: Words) -> npt.NDArray[np.float64]:
    """Words as numbers in [0, 1), by their upper 53 bits."""
    numbers: npt.NDArray[np.float64] = (words >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return numbers


def choose(priorities: Words, maskable: Flags, budgets: Tokens) -> Flags:
    """The `budgets` maskable tokens of lowest priority in each window.

    Args:
        priorities: (batch, positions) draws.
        maskable: (batch, positions) what may be chosen.
        budgets: (batch,) how many to choose, at most the maskable ones.
    """
    # Ties have a chance of 2^-63 and go by position, as the sort is stable.
    order = np.argsort(np.where(maskable, priorities >> np.uint64(1), ~np.uint64(0)), axis=1, kind="stable")
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.arange(order.shape[1])[None, :], axis=1)
    chosen: Flags = ranks < budgets[:, None]
    return chosen


@lru_cache(maxsize=8)
def ordinary_tokens(vocab_size: int, special_ids: tuple[int, ...]) -> Tokens:
    """The tokens of a vocabulary that are not special."""
    return np.setdiff1d(np.arange(vocab_size), np.array(special_ids))


@dataclass(frozen=True, slots=True, kw_only=True)
class Masker:
    """Masks windows of tokens for masked-language modelling."""

    seed: int
    mask_token_id: int
    special_ids: tuple[int, ...]
    """Tokens that are never chosen and never put in."""
    vocab_size: int
    mask_share: float = 0.8
    random_share: float = 0.1

    def __call__(
        self, ids: Tokens, real: Flags, windows: Tokens, epoch: int, rate: float
    ) -> tuple[Tokens, Tokens]:
        """The tokens that the model sees, and the labels: what it must predict, `IGNORED` elsewhere.

        Args:
            ids: (batch, positions) token ids.
            real: (batch, positions) false at padding.
            windows: (batch,) the windows' places in the dataset; a negative one gets no mask at all.
            epoch: counted from 0.
            rate: the share of the maskable tokens to choose, in [0, 1].
        """
        keys = window_keys(self.seed, epoch, windows)
        maskable = real & ~np.isin(ids, self.special_ids) & (windows >= 0)[:, None]
        share = uniform(draws(keys, _WINDOW, 1))[:, 0]
        budgets = np.floor(maskable.sum(axis=1) * rate + share).astype(np.int64)
        budgets = np.minimum(budgets, maskable.sum(axis=1))
        chosen = choose(draws(keys, _CHOICE, ids.shape[1]), maskable, budgets)
        fate = draws(keys, _FATE, ids.shape[1])
        kind = (fate >> np.uint64(32)) * 2.0**-32
        masked = chosen & (kind < self.mask_share)
        swapped = chosen & ~masked & (kind < self.mask_share + self.random_share)
        seen = np.where(masked, self.mask_token_id, ids)
        ordinary = ordinary_tokens(self.vocab_size, self.special_ids)
        low = fate & np.uint64(0xFFFFFFFF)
        seen = np.where(swapped, ordinary[(low * np.uint64(len(ordinary))) >> np.uint64(32)], seen)
        return seen, np.where(chosen, ids, IGNORED)
