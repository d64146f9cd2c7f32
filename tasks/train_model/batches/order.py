"""Which windows make a step: every window once an epoch, little padding.

The order of an epoch follows from (seed, epoch, number of windows, global batch) alone. Windows are
shuffled, sorted by length within pools of `POOL` steps, and cut into global batches, which are shuffled
again; so the windows of a step have nearly the same length, and 3 % of padding becomes less than 1 %. Each
global batch is then split, by length, into the micro-batches of all ranks and accumulation steps: the same
steps for any split of the same global batch. What does not fill a global batch is trained on last, as a
smaller step.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tasks.train_model.batches.counting import Tokens
from tasks.train_model.batches.pairs import Pairs

POOL = 64
"""Steps among which windows are sorted by length."""
FILLER = -1
"""Stands for no window: a row that is computed where a rank would otherwise have none, without loss."""


@dataclass(frozen=True, slots=True)
class MicroBatch:
    """What one forward pass computes: windows of one epoch, at one point of the run."""

    epoch: int
    step: int
    """Optimizer steps done when this batch is computed, from the start of the run."""
    windows: tuple[int, ...]
    in_step: int = 1
    """Windows of the whole optimizer step, of all its micro-batches and ranks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowOrder:
    """The order of training: which windows each rank sees at each step of each epoch."""

    lengths: Tokens
    seed: int
    batch_size: int
    """Windows of one micro-batch."""
    accumulation: int = 1
    ranks: int = 1

    @property
    def global_batch(self) -> int:
        """Windows of one optimizer step."""
        return self.batch_size * self.accumulation * self.ranks

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps of one epoch."""
        return -(-len(self.lengths) // self.global_batch)

    @property
    def micro_batches_per_epoch(self) -> int:
        """Micro-batches of one rank in one epoch."""
        full, rest = divmod(len(self.lengths), self.global_batch)
        return full * self.accumulation + -(-rest // (self.batch_size * self.ranks))

    def global_batches(self, epoch: int) -> list[Tokens]:
        """The windows of each step of an epoch, longest window first within each."""
        generator = np.random.Generator(np.random.Philox(key=[self.seed, epoch]))
        lengths = self.lengths_in(epoch)
        shuffled = generator.permutation(len(self.lengths))
        whole = len(shuffled) - len(shuffled) % self.global_batch
        pool = POOL * self.global_batch
        batches = []
        for start in range(0, whole, pool):
            windows = _by_length(shuffled[start : min(start + pool, whole)], lengths)
            batches += np.split(windows, len(windows) // self.global_batch)
        ordered = [batches[place] for place in generator.permutation(len(batches))]
        if whole < len(shuffled):
            ordered.append(_by_length(shuffled[whole:], lengths))
        return ordered

    def micro_batches(self, epoch: int, rank: int) -> Iterator[MicroBatch]:
        """What one rank computes in an epoch, in order."""
        for place, windows in enumerate(self.global_batches(epoch)):
            step = epoch * self.steps_per_epoch + place
            rounds = -(-len(windows) // (self.batch_size * self.ranks))
            parts = np.array_split(windows, rounds * self.ranks)
            for part in parts[rank :: self.ranks]:
                yield MicroBatch(epoch, step, tuple(part.tolist()) or (FILLER,), len(windows))

    def lengths_in(self, epoch: int) -> Tokens:
        """(windows,) tokens of each window in an epoch."""
        return self.lengths


@dataclass(frozen=True, slots=True, kw_only=True)
class PairOrder(WindowOrder):
    """The order of pairs, which have other lengths in each epoch."""

    pairs: Pairs

    def lengths_in(self, epoch: int) -> Tokens:
        """(pairs,) tokens of each pair in an epoch."""
        return self.pairs.table(epoch).lengths


def _by_length(windows: Tokens, lengths: Tokens) -> Tokens:
    return windows[np.argsort(-lengths[windows], kind="stable")]
