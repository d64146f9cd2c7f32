"""What is masked, how often, and that it depends on nothing but seed, epoch and window."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.train_model.batches.masking import IGNORED, Masker

MASKER = Masker(seed=7, mask_token_id=4, special_ids=(0, 1, 2, 3, 4), vocab_size=1000)


def batch(lengths: list[int], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Random windows [CLS] … [SEP], padded; and which tokens are real."""
    generator = np.random.default_rng(seed)
    ids = np.zeros((len(lengths), max(lengths) + 2), np.int64)
    for row, length in enumerate(lengths):
        ids[row, : length + 2] = [2, *generator.integers(5, 1000, length), 3]
    return ids, ids != 0


@given(
    lengths=st.lists(st.integers(0, 60), min_size=1, max_size=8),
    rate=st.floats(0, 1),
    epoch=st.integers(0, 50),
    seed=st.integers(0, 2**31 - 1),
)
@settings(max_examples=150, deadline=None)
def test_masks_stay_within_bounds(lengths: list[int], rate: float, epoch: int, seed: int) -> None:
    """No special token or padding is chosen, only [MASK] is put in, and each window has its exact share."""
    ids, real = batch(lengths)
    masker = Masker(seed=seed, mask_token_id=4, special_ids=(0, 1, 2, 3, 4), vocab_size=1000)
    seen, labels = masker(ids, real, np.arange(len(ids)), epoch, rate)
    chosen = labels != IGNORED
    assert not (chosen & ((ids < 5) | ~real)).any()
    assert (labels[chosen] == ids[chosen]).all()
    assert (seen[~chosen] == ids[~chosen]).all()
    assert np.isin(seen[chosen], [4, *range(5, 1000)]).all()
    counts, wanted = chosen.sum(axis=1), np.array(lengths) * rate
    assert (counts >= np.floor(wanted)).all()
    assert (counts <= np.minimum(np.floor(wanted) + 1, lengths)).all()


def test_shares_are_those_asked_for() -> None:
    """Of 400,000 tokens 15 % are chosen; of these 80 % become [MASK], 10 % any other token, 10 % stay."""
    ids, real = batch([200] * 2000)
    seen, labels = MASKER(ids, real, np.arange(2000), epoch=0, rate=0.15)
    chosen = labels != IGNORED
    assert abs(chosen.sum() / 400_000 - 0.15) < 0.001
    fate = seen[chosen]
    masked, kept = fate == 4, fate == labels[chosen]
    assert abs(masked.mean() - 0.8) < 0.005
    # A random token is the old one by chance once in 995 times.
    assert abs(kept.mean() - 0.1001) < 0.005
    swapped = fate[~masked & ~kept]
    assert swapped.min() == 5
    assert swapped.max() == 999
    assert len(np.unique(swapped)) > 950


def test_every_position_is_equally_likely() -> None:
    """Over 4,000 windows each of 40 positions is chosen about 600 times."""
    ids, real = batch([40] * 4000)
    _, labels = MASKER(ids, real, np.arange(4000), epoch=0, rate=0.15)
    times = (labels != IGNORED).sum(axis=0)[1:-1]
    # 600 ± 5 standard deviations of √(4000 · 0.15 · 0.85) = 22.6.
    assert times.min() > 487
    assert times.max() < 713


def test_a_window_is_masked_alike_in_any_batch() -> None:
    """One window alone gets the same mask as among others and with padding."""
    ids, real = batch([30, 12, 45])
    seen, labels = MASKER(ids, real, np.array([5, 90, 17]), epoch=3, rate=0.15)
    for row, (window, length) in enumerate([(5, 32), (90, 14), (17, 47)]):
        alone = MASKER(ids[row : row + 1, :length], real[row : row + 1, :length], np.array([window]), 3, 0.15)
        assert (alone[0][0] == seen[row, :length]).all()
        assert (alone[1][0] == labels[row, :length]).all()


def test_epochs_seeds_and_windows_differ() -> None:
    """Another epoch, seed or window has another mask; the same three have the same one."""
    ids, real = batch([200])
    other = Masker(seed=8, mask_token_id=4, special_ids=(0, 1, 2, 3, 4), vocab_size=1000)
    masks = [
        tuple(masker(ids, real, np.array([window]), epoch, 0.15)[1][0])
        for masker, epoch, window in [(MASKER, 0, 0), (MASKER, 1, 0), (other, 0, 0), (MASKER, 0, 1)]
    ]
    assert len(set(masks)) == 4
    assert tuple(MASKER(ids, real, np.array([0]), 0, 0.15)[1][0]) == masks[0]


def test_masks_do_not_change_between_versions() -> None:
    """The draws are pinned: a change of them would change every run, and must bump the stage's version."""
    ids, real = batch([20])
    seen, labels = MASKER(ids, real, np.array([0]), epoch=0, rate=0.5)
    assert np.flatnonzero(labels[0] != IGNORED).tolist() == [4, 5, 6, 8, 12, 13, 14, 15, 17, 18]
    assert (seen[0] == 4).sum() == 6
