"""Which windows make a step, and how they become tensors: every window once an epoch, little padding.

The order of an epoch follows from (seed, epoch, number of windows, global batch) alone. Windows are
shuffled, sorted by length within pools of `POOL` steps, and cut into global batches, which are shuffled
again; so the windows of a step have nearly the same length, and 3 % of padding becomes less than 1 %. Each
global batch is then split, by length, into the micro-batches of all ranks and accumulation steps: the same
steps for any split of the same global batch. What does not fill a global batch is trained on last, as a
smaller step.
"""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch.utils.data import DataLoader, Dataset, Sampler

from tasks.train_model.counting import Tokens
from tasks.train_model.interrupt import starting_helpers
from tasks.train_model.masking import Masker
from tasks.train_model.pairs import Pairs
from tasks.train_model.tensors import batch_tensors, packed_tensors, pair_tensors
from tasks.train_model.windows import Windows

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
class Plan:
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
class PairPlan(Plan):
    """A plan of pairs, which have other lengths in each epoch."""

    pairs: Pairs

    def lengths_in(self, epoch: int) -> Tokens:
        """(pairs,) tokens of each pair in an epoch."""
        return self.pairs.table(epoch).lengths


def _by_length(windows: Tokens, lengths: Tokens) -> Tokens:
    return windows[np.argsort(-lengths[windows], kind="stable")]


class EpochOrder(Sampler[list[MicroBatch]]):
    """A plan's micro-batches of one rank and epoch, as torch's data loader asks for them."""

    def __init__(self, plan: Plan, rank: int = 0) -> None:
        self.plan, self.rank, self.epoch = plan, rank, 0

    def set_epoch(self, epoch: int) -> None:
        """Go to an epoch, counted from 0."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[list[MicroBatch]]:
        return ([batch] for batch in self.plan.micro_batches(self.epoch, self.rank))

    def __len__(self) -> int:
        return self.plan.micro_batches_per_epoch


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskedBatches(Dataset[dict[str, Any]]):
    """Makes the tensors of a micro-batch; in a data worker or not, they come out the same."""

    windows: Windows
    masker: Masker
    pad_token_id: int
    rate: float
    final_rate: float
    """The mask rate falls linearly from `rate` to this."""
    total_steps: int
    pairs: Pairs | None = None
    """Train on these instead of on the windows."""
    packed_from: int | None = None
    """Make packed rows, whose windows' positions are counted from here; None for padded batches."""

    def __getitem__(self, batch: MicroBatch) -> dict[str, Any]:
        places, rate = np.array(batch.windows, np.int64), self.rate_at(batch.step)
        if self.pairs is not None:
            rows = self.pairs.rows(places, batch.epoch, self.pad_token_id)
            flags = {"begins": rows.begins, "code": rows.code}
            seen, labels = self.masker(rows.ids, rows.real, places, batch.epoch, rate, **flags)
            return pair_tensors(seen, labels, rows, batch.in_step)
        chosen = np.maximum(places, 0)
        ids, real = self.windows.padded(chosen, self.pad_token_id)
        flags = {"begins": self.windows.word_begins(chosen), "code": self.windows.code_flags(chosen)}
        seen, labels = self.masker(ids, real, places, batch.epoch, rate, **flags)
        if self.packed_from is not None:
            return packed_tensors(seen, labels, real, self.packed_from)
        return batch_tensors(seen, labels, real)

    def rate_at(self, step: int) -> float:
        """The mask rate at an optimizer step."""
        done = min(step / max(self.total_steps - 1, 1), 1.0)
        return self.rate + (self.final_rate - self.rate) * done


class EpochLoader(DataLoader[dict[str, Any]]):
    """A data loader whose order follows the epoch, told by transformers' Trainer."""

    def __iter__(self) -> Any:
        """Begin an epoch; the first one starts the workers."""
        with starting_helpers() if self.num_workers else nullcontext():
            return super().__iter__()

    def set_epoch(self, epoch: int) -> None:
        """Go to an epoch, counted from 0."""
        sampler = self.batch_sampler
        if isinstance(sampler, EpochOrder):
            sampler.set_epoch(epoch)


def only(batches: list[dict[str, Any]]) -> dict[str, Any]:
    """The one batch of a list: the data set has made the batch already."""
    return batches[0]
