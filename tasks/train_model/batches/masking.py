"""Which tokens the model must predict, drawn by counting (see `counting`).

The rule. Of a window's n maskable tokens (no special token, no padding), ⌊n·rate + u⌋ are chosen, u uniform
in [0, 1) of the window: each token with probability `rate`, without the spread of n coin tosses, so every
window has its share of the loss. Units (tokens, whole words or spans: see `units`) are taken in the
order of their draws until the window's budget is spent. Of the chosen tokens `mask_share` become [MASK],
`random_share` a random token that is not special, and the others stay as they are (Devlin et al., BERT,
2018: 0.8 and 0.1). A unit in code is maskable only with probability `code_weight`.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from tasks.train_model.batches.counting import Flags, Tokens, Words, draws, uniform, window_keys
from tasks.train_model.batches.units import Strategy, choose_units, units

IGNORED = -100
"""The label of a token that is not predicted, as in torch's cross-entropy."""

_WINDOW, _CHOICE, _FATE, _LUCK, _CODE = 1, 2, 3, 4, 5
"""Streams: independent draws of the same place (`units`, `sentences` and `pairs` have others)."""


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
    strategy: Strategy = "token"
    code_weight: float = 1.0
    """How often a unit of code may be chosen, next to one of prose, in [0, 1]."""

    def __call__(
        self,
        ids: Tokens,
        real: Flags,
        windows: Tokens,
        epoch: int,
        rate: float,
        *,
        begins: Flags | None = None,
        code: Flags | None = None,
    ) -> tuple[Tokens, Tokens]:
        """The tokens that the model sees, and the labels: what it must predict, `IGNORED` elsewhere.

        Args:
            ids: (batch, positions) token ids.
            real: (batch, positions) false at padding.
            windows: (batch,) the windows' places in the dataset; a negative one gets no mask at all.
            epoch: counted from 0.
            rate: the share of the maskable tokens to choose, in [0, 1].
            begins: (batch, positions) where words begin; None where every token is one.
            code: (batch, positions) which tokens are code; None where none is.
        """
        keys = window_keys(self.seed, epoch, windows)
        special = np.isin(ids, self.special_ids)
        maskable = real & ~special & (windows >= 0)[:, None]
        first = units(self.strategy, np.ones_like(real) if begins is None else begins, special | ~real, keys)
        if code is not None and self.code_weight < 1:
            wanted = uniform(draws(keys, _CODE, ids.shape[1])) < self.code_weight
            maskable &= ~code | np.take_along_axis(wanted, first, axis=1)
        share = uniform(draws(keys, _WINDOW, 1))[:, 0]
        budgets = np.floor(maskable.sum(axis=1) * rate + share).astype(np.int64)
        budgets = np.minimum(budgets, maskable.sum(axis=1))
        priorities, fate = draws(keys, _CHOICE, ids.shape[1]), draws(keys, _FATE, ids.shape[1])
        if self.strategy == "token":
            chosen = choose(priorities, maskable, budgets)
        else:
            luck = uniform(draws(keys, _LUCK, 1))[:, 0]
            chosen = choose_units(first, priorities, maskable, budgets, luck)
        shared = np.take_along_axis(fate, first, axis=1) if self.strategy == "span" else fate
        return self._seen(ids, chosen, shared, fate), np.where(chosen, ids, IGNORED)

    def _seen(self, ids: Tokens, chosen: Flags, fate: Words, luck: Words) -> Tokens:
        """(batch, positions) what stands where: [MASK] or a random token for most of the chosen ones.

        Args:
            fate: (batch, positions) draws of what becomes of each token.
            luck: (batch, positions) draws of the random token, by their lower half.
        """
        kind = (fate >> np.uint64(32)) * 2.0**-32
        masked = chosen & (kind < self.mask_share)
        swapped = chosen & ~masked & (kind < self.mask_share + self.random_share)
        ordinary = ordinary_tokens(self.vocab_size, self.special_ids)
        low = luck & np.uint64(0xFFFFFFFF)
        swaps = ordinary[(low * np.uint64(len(ordinary))) >> np.uint64(32)]
        seen: Tokens = np.where(swapped, swaps, np.where(masked, self.mask_token_id, ids))
        return seen
