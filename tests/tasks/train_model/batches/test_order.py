"""The plan of an epoch: nothing lost, nothing twice, little padding, and the same for any split."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.train_model.batches.batch import ROWS, batch_tensors
from tasks.train_model.batches.loader import EpochLoader, EpochOrder, MaskedBatches, only
from tasks.train_model.batches.masking import IGNORED, Masker
from tasks.train_model.batches.order import FILLER, MicroBatch, WindowOrder
from tasks.train_model.batches.windows import read_windows


def lengths_of(count: int, seed: int = 0) -> np.ndarray:
    """Window lengths as chunking makes them at 256 tokens: most nearly full, some short."""
    generator = np.random.default_rng(seed)
    full = generator.integers(180, 257, count)
    return np.where(generator.random(count) < 0.15, generator.integers(8, 257, count), full)


@given(
    count=st.integers(1, 300),
    batch_size=st.integers(1, 9),
    accumulation=st.integers(1, 4),
    ranks=st.integers(1, 3),
    epoch=st.integers(0, 3),
)
@settings(max_examples=150, deadline=None)
def test_every_window_once_an_epoch(
    count: int, batch_size: int, accumulation: int, ranks: int, epoch: int
) -> None:
    """Whatever the sizes, an epoch has every window once, and every rank the same number of batches."""
    plan = WindowOrder(
        lengths=lengths_of(count), seed=1, batch_size=batch_size, accumulation=accumulation, ranks=ranks
    )
    by_rank = [list(plan.micro_batches(epoch, rank)) for rank in range(ranks)]
    assert {len(batches) for batches in by_rank} == {plan.micro_batches_per_epoch}
    seen = [window for batches in by_rank for batch in batches for window in batch.windows]
    assert sorted(window for window in seen if window != FILLER) == list(range(count))
    assert max(len(batch.windows) for batches in by_rank for batch in batches) <= batch_size
    # The Trainer takes `accumulation` batches a step, and what remains in the last.
    steps = [batch.step for batch in by_rank[0]]
    assert steps == [epoch * plan.steps_per_epoch + place // accumulation for place in range(len(steps))]


@pytest.mark.parametrize(
    ("batch_size", "accumulation", "ranks"), [(4, 4, 1), (2, 8, 1), (8, 1, 2), (1, 4, 4)]
)
def test_a_split_changes_no_step(batch_size: int, accumulation: int, ranks: int) -> None:
    """A global batch of 16 has the same windows in every step, however it is split."""
    whole = WindowOrder(lengths=lengths_of(203), seed=5, batch_size=16)
    split = WindowOrder(
        lengths=lengths_of(203), seed=5, batch_size=batch_size, accumulation=accumulation, ranks=ranks
    )
    steps: dict[int, set[int]] = {}
    for rank in range(ranks):
        for batch in split.micro_batches(2, rank):
            steps.setdefault(batch.step, set()).update(batch.windows)
    expected = {batch.step: set(batch.windows) for batch in whole.micro_batches(2, 0)}
    assert {step: windows - {FILLER} for step, windows in steps.items()} == expected


def test_padding_stays_under_three_percent() -> None:
    """Of the tokens computed for windows of chunked text, under 3 % are padding; unsorted over 10 %."""
    lengths = lengths_of(3000)

    def padding(batches: list[tuple[int, ...]]) -> float:
        computed = sum(len(batch) * lengths[list(batch)].max() for batch in batches)
        return float(1 - lengths.sum() / computed)

    plan = WindowOrder(lengths=lengths, seed=0, batch_size=16)
    assert padding([batch.windows for batch in plan.micro_batches(0, 0)]) < 0.03
    shuffled = np.random.default_rng(0).permutation(3000)
    assert padding([tuple(part) for part in np.array_split(shuffled, 187)]) > 0.1


def test_order_follows_seed_and_epoch() -> None:
    """Epochs and seeds have orders of their own, and the same two have the same one."""
    orders = [
        tuple(WindowOrder(lengths=lengths_of(100), seed=seed, batch_size=8).micro_batches(epoch, 0))
        for seed, epoch in [(0, 0), (0, 1), (1, 0), (0, 0)]
    ]
    windows = [[batch.windows for batch in order] for order in orders]
    assert windows[0] == windows[3]
    assert windows[0] != windows[1]
    assert windows[0] != windows[2]


def masked_batches(folder: Path) -> MaskedBatches:
    """The training windows of a folder with a mask rate that falls from 30 % to 15 %."""
    return MaskedBatches(
        windows=read_windows(folder)["train"],
        masker=Masker(seed=1, mask_token_id=4, special_ids=(0, 1, 2, 3, 4), vocab_size=125),
        pad_token_id=0,
        rate=0.3,
        final_rate=0.15,
        total_steps=11,
    )


def test_workers_change_no_tensor(tokenized: Path) -> None:
    """A data worker, which is a process of its own, gives the same tensors in the same order as none."""
    batches = masked_batches(tokenized)
    order = EpochOrder(WindowOrder(lengths=batches.windows.lengths, seed=3, batch_size=8))
    order.set_epoch(2)
    here = list(EpochLoader(batches, batch_sampler=order, collate_fn=only))
    there = list(
        EpochLoader(
            batches, batch_sampler=order, collate_fn=only, num_workers=1, multiprocessing_context="spawn"
        )
    )
    assert len(here) == len(there) == 7
    for one, other in zip(here, there, strict=True):
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_the_rate_falls_linearly(tokenized: Path) -> None:
    """The first step masks at one rate, the last at the other, and the middle one half-way."""
    batches = masked_batches(tokenized)
    assert [round(batches.rate_at(step), 4) for step in (0, 5, 10, 11)] == [0.3, 0.225, 0.15, 0.15]


def test_windows_are_padded_as_they_are(tokenized: Path) -> None:
    """A padded batch holds each window's own tokens, and nothing of its neighbours."""
    windows = read_windows(tokenized)["train"]
    ids, real = windows.padded(np.array([3, 0, 49]), pad_token_id=0)
    for row, window in enumerate([3, 0, 49]):
        own = windows.ids[windows.offsets[window] : windows.offsets[window + 1]]
        assert ids[row][real[row]].tolist() == own.tolist()
        assert (ids[row][~real[row]] == 0).all()
        assert real[row].sum() == windows.lengths[window]
    flags = windows.code_flags(np.array([3, 1]))
    assert flags.any(axis=1).tolist() == [True, False]
    assert flags[0].sum() == windows.lengths[3] - 2


def test_a_filler_row_has_no_loss(tokenized: Path) -> None:
    """A rank that has no window left computes one without any masked token."""
    tensors = masked_batches(tokenized)[MicroBatch(0, 0, (FILLER,))]
    assert (tensors["labels"] == IGNORED).all()
    assert len(tensors["input_ids"]) == 1


def test_places_point_at_the_masked_tokens() -> None:
    """Rows, queries and their rows all lead to the same tokens, also for a window without any mask."""
    labels = np.full((3, 6), IGNORED)
    labels[0, [1, 4]] = [11, 14]
    labels[2, [2, 3, 5]] = [22, 23, 25]
    seen = np.arange(18).reshape(3, 6)
    tensors = batch_tensors(seen, labels, np.ones((3, 6), bool))
    flat = tensors["input_ids"].reshape(-1)
    assert flat[tensors["rows"]][:5].tolist() == [1, 4, 14, 15, 17]
    gathered = tensors["input_ids"].gather(1, tensors["queries"]).reshape(-1)
    assert gathered[tensors["query_rows"]][:5].tolist() == [1, 4, 14, 15, 17]
    assert tensors["labels"][:5].tolist() == [11, 14, 22, 23, 25]
    assert (tensors["labels"][5:] == IGNORED).all(), "what fills up the rows has no label"
    assert len(tensors["labels"]) == ROWS == len(tensors["rows"]) == len(tensors["query_rows"])
    assert "attention_mask" not in tensors
