"""An order of training as torch's data loader takes it: every batch made whole, in a worker or not."""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch.utils.data import DataLoader, Dataset, Sampler

from tasks.train_model.batches.batch import Batch, packed_batch, padded_batch, pair_batch
from tasks.train_model.batches.masking import Masker
from tasks.train_model.batches.order import MicroBatch, WindowOrder
from tasks.train_model.batches.pairs import Pairs
from tasks.train_model.batches.windows import Windows
from tasks.training.processes.interrupt import starting_helpers


class EpochOrder(Sampler[list[MicroBatch]]):
    """One rank's micro-batches of an epoch, as torch's data loader asks for them."""

    def __init__(self, order: WindowOrder, rank: int = 0) -> None:
        self.order, self.rank, self.epoch = order, rank, 0

    def set_epoch(self, epoch: int) -> None:
        """Go to an epoch, counted from 0."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[list[MicroBatch]]:
        return ([batch] for batch in self.order.micro_batches(self.epoch, self.rank))

    def __len__(self) -> int:
        return self.order.micro_batches_per_epoch


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskedBatches(Dataset[Batch]):
    """Makes the batch of some windows or pairs; in a data worker or not, it comes out the same."""

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

    def __getitem__(self, wanted: MicroBatch) -> Batch:
        windows, rate = np.array(wanted.windows, np.int64), self.rate_at(wanted.step)
        if self.pairs is not None:
            rows = self.pairs.rows(windows, wanted.epoch, self.pad_token_id)
            flags = {"begins": rows.begins, "code": rows.code}
            seen, labels = self.masker(rows.ids, rows.real, windows, wanted.epoch, rate, **flags)
            return pair_batch(seen, labels, rows, wanted.in_step)
        chosen = np.maximum(windows, 0)
        ids, real = self.windows.padded(chosen, self.pad_token_id)
        flags = {"begins": self.windows.word_begins(chosen), "code": self.windows.code_flags(chosen)}
        seen, labels = self.masker(ids, real, windows, wanted.epoch, rate, **flags)
        if self.packed_from is not None:
            return packed_batch(seen, labels, real, self.packed_from)
        return padded_batch(seen, labels, real)

    def rate_at(self, step: int) -> float:
        """The mask rate at an optimizer step."""
        done = min(step / max(self.total_steps - 1, 1), 1.0)
        return self.rate + (self.final_rate - self.rate) * done


class EpochLoader(DataLoader[Batch]):
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


def for_trainer(batches: list[Batch]) -> dict[str, Any]:
    """The one batch of a list, which the data set has made already, as the dict that the Trainer takes."""
    return batches[0].as_dict()
