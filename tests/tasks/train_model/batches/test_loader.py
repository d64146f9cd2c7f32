"""Batches made by the data loader: the same in a worker or not, masked as the run's step says."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tasks.train_model.batches.loader import EpochLoader, EpochOrder, MaskedBatches, for_trainer
from tasks.train_model.batches.masking import IGNORED, Masker
from tasks.train_model.batches.order import FILLER, MicroBatch, PairOrder, WindowOrder
from tasks.train_model.batches.pairs import Pairs
from tasks.train_model.reading import read_windows


def masked_batches(folder: Path, **changes: Any) -> MaskedBatches:
    """The training windows of a folder with a mask rate that falls from 30 % to 15 %."""
    batches = MaskedBatches(
        windows=read_windows(folder)["train"],
        masker=Masker(seed=1, mask_token_id=4, special_ids=(0, 1, 2, 3, 4), vocab_size=125),
        pad_token_id=0,
        rate=0.3,
        final_rate=0.15,
        total_steps=11,
    )
    return replace(batches, **changes)


def nsp_pairs(folder: Path, split: str = "train") -> Pairs:
    """The NSP pairs of a split."""
    documents = read_windows(folder)[split].documents()
    return Pairs(documents, "nsp", max_seq_length=40, short_share=0.1, seed=5, frame=(2, 3))


def leaves(batch: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Every name and value of a nested batch."""
    for name, value in batch.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def exact(batch: dict[str, Any]) -> dict[str, Any]:
    """Every name and value of a nested batch, tensors as their type and numbers."""
    return {
        name: (value.dtype, value.tolist()) if isinstance(value, torch.Tensor) else value
        for name, value in leaves(batch)
    }


@pytest.mark.parametrize("layout", ["padded", "pairs", "packed"])
def test_workers_change_no_tensor(tokenized: Path, layout: str) -> None:
    """A data worker, which is a process of its own, gives the same batches in the same order as none."""
    batches = masked_batches(tokenized)
    order = WindowOrder(lengths=batches.windows.lengths, seed=3, batch_size=8)
    if layout == "packed":
        batches = replace(batches, packed_from=0)
    if layout == "pairs":
        pairs = nsp_pairs(tokenized)
        batches = replace(batches, pairs=pairs)
        order = PairOrder(lengths=pairs.table(0).lengths, pairs=pairs, seed=3, batch_size=8)
    places = EpochOrder(order)
    places.set_epoch(2)
    options: dict[str, Any] = {"batch_sampler": places, "collate_fn": for_trainer}
    here = list(EpochLoader(batches, **options))
    there = list(EpochLoader(batches, num_workers=1, multiprocessing_context="spawn", **options))
    assert len(here) == len(there) == order.steps_per_epoch > 4
    for one, other in zip(here, there, strict=True):
        assert exact(one) == exact(other)


def test_the_rate_falls_linearly(tokenized: Path) -> None:
    """The first step masks at one rate, the last at the other, and the middle one half-way."""
    batches = masked_batches(tokenized)
    assert [round(batches.rate_at(step), 4) for step in (0, 5, 10, 11)] == [0.3, 0.225, 0.15, 0.15]


def test_a_filler_has_no_loss(tokenized: Path) -> None:
    """A rank that has no window or pair left computes one without any masked token or label."""
    batch = masked_batches(tokenized)[MicroBatch(0, 0, (FILLER,))]
    assert (batch.labels == IGNORED).all()
    assert len(batch.inputs["input_ids"]) == 1
    batch = masked_batches(tokenized, pairs=nsp_pairs(tokenized))[MicroBatch(0, 0, (FILLER,), 7)]
    assert (batch.labels == IGNORED).all()
    assert batch.pairs is not None
    assert batch.pairs.labels.tolist() == [IGNORED]
    assert batch.pairs.in_step == 7


def test_a_batch_is_masked_by_the_words_and_code_of_its_windows(tokenized: Path) -> None:
    """With whole words and no masks in code, a window's pieces go together and its code stays."""
    windows = read_windows(tokenized)["train"]
    # Words of three tokens, from each window's first on.
    places = np.arange(len(windows.ids)) - np.repeat(windows.offsets[:-1], windows.lengths)
    words = replace(windows, levels=(places % 3 == 1).astype(np.uint8))
    base = masked_batches(tokenized)
    masker = replace(base.masker, strategy="whole_word", code_weight=0.0)
    batches = replace(base, windows=words, masker=masker, rate=0.4, final_rate=0.4)
    batch = batches[MicroBatch(0, 0, (0, 1, 2))]
    rows = batch.places.rows[batch.labels != IGNORED]
    width = batch.inputs["input_ids"].shape[1]
    window, place = rows // width, rows % width
    assert set(window.tolist()) == {1, 2}, "window 0 is code"
    for row in (1, 2):
        chosen = set(place[window == row].tolist())
        text = range(1, int(windows.lengths[row]) - 1)
        groups = {(p - 1) // 3 for p in chosen}
        assert chosen == {p for p in text if (p - 1) // 3 in groups}
