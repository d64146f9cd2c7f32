"""The order of an epoch: nothing lost, nothing twice, little padding, and the same for any split."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.train_model.batches.order import FILLER, WindowOrder


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
    order = WindowOrder(
        lengths=lengths_of(count), seed=1, batch_size=batch_size, accumulation=accumulation, ranks=ranks
    )
    by_rank = [list(order.micro_batches(epoch, rank)) for rank in range(ranks)]
    assert {len(batches) for batches in by_rank} == {order.micro_batches_per_epoch}
    seen = [window for batches in by_rank for batch in batches for window in batch.windows]
    assert sorted(window for window in seen if window != FILLER) == list(range(count))
    assert max(len(batch.windows) for batches in by_rank for batch in batches) <= batch_size
    # The Trainer takes `accumulation` batches a step, and what remains in the last.
    steps = [batch.step for batch in by_rank[0]]
    assert steps == [epoch * order.steps_per_epoch + place // accumulation for place in range(len(steps))]


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

    order = WindowOrder(lengths=lengths, seed=0, batch_size=16)
    assert padding([batch.windows for batch in order.micro_batches(0, 0)]) < 0.03
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
