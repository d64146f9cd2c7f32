"""What is masked together, and that the rate and the 80/10/10 rule hold whatever that is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.train_model.batches.counting import window_keys
from tasks.train_model.batches.masking import IGNORED, Masker
from tasks.train_model.batches.units import LONGEST, Strategy, span_lengths, units

SPECIAL = (0, 1, 2, 3, 4)
KINDS = st.sampled_from(["token", "whole_word", "span"])
SPANS_EXPECTED = [0.8**k * 0.2 / (1 - 0.8**10) for k in range(10)]


def make(strategy: Strategy, **changes: float) -> Masker:
    """A masker of one strategy."""
    return Masker(seed=7, mask_token_id=4, special_ids=SPECIAL, vocab_size=1000, strategy=strategy, **changes)


def batch(windows: int, words: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Windows [CLS] … [SEP] of words of one to four pieces, padded: ids, what is real, where words begin."""
    generator = np.random.default_rng(seed)
    rows = []
    for _ in range(windows):
        pieces = generator.integers(1, 5, generator.integers(1, words + 1))
        begins = np.concatenate([np.arange(count) == 0 for count in pieces])
        rows.append(np.concatenate(([True], begins, [True])))
    width = max(map(len, rows))
    ids, begins = np.zeros((windows, width), np.int64), np.zeros((windows, width), bool)
    for row, flags in enumerate(rows):
        ids[row, : len(flags)] = [2, *generator.integers(5, 1000, len(flags) - 2), 3]
        begins[row, : len(flags)] = flags
    return ids, ids != 0, begins


@given(strategy=KINDS, rate=st.floats(0, 1), weight=st.floats(0, 1), seed=st.integers(0, 999))
@settings(max_examples=150, deadline=None)
def test_masks_stay_within_bounds(strategy: Strategy, rate: float, weight: float, seed: int) -> None:
    """Whatever the strategy: no special token or padding is chosen, and all else is left as it was."""
    ids, real, begins = batch(5, 25, seed)
    code = np.random.default_rng(seed).random(ids.shape) < 0.3
    masker = make(strategy, code_weight=weight)
    seen, labels = masker(ids, real, np.arange(5), 3, rate, begins=begins, code=code)
    chosen = labels != IGNORED
    assert not (chosen & (np.isin(ids, SPECIAL) | ~real)).any()
    assert (labels[chosen] == ids[chosen]).all()
    assert (seen[~chosen] == ids[~chosen]).all()
    assert np.isin(seen[chosen], [4, *range(5, 1000)]).all()


@pytest.mark.parametrize("strategy", ["token", "whole_word", "span"])
def test_the_rate_and_the_fates_hold(strategy: Strategy) -> None:
    """Of about 400,000 tokens 15 % are chosen; 80 % of these become [MASK], 10 % another, 10 % stay."""
    ids, real, begins = batch(4000, 80)
    seen, labels = make(strategy)(ids, real, np.arange(4000), 0, 0.15, begins=begins)
    chosen = labels != IGNORED
    tokens = (real & ~np.isin(ids, SPECIAL)).sum()
    assert tokens > 390_000
    assert abs(chosen.sum() / tokens - 0.15) < 0.002
    fate = seen[chosen]
    # A span has one fate for all its tokens, so there are fewer draws and more spread.
    spread = 0.015 if strategy == "span" else 0.005
    assert abs((fate == 4).mean() - 0.8) < spread
    assert abs((fate == labels[chosen]).mean() - 0.1) < spread


def test_words_are_masked_whole() -> None:
    """With whole_word all pieces of a word are chosen or none, and each piece's fate is its own."""
    ids, real, begins = batch(500, 60)
    seen, labels = make("whole_word")(ids, real, np.arange(500), 0, 0.15, begins=begins)
    chosen = labels != IGNORED
    inside = real & ~begins
    assert (chosen[:, 1:] == chosen[:, :-1])[inside[:, 1:]].all()
    both = chosen[:, 1:] & chosen[:, :-1] & inside[:, 1:]
    alike = ((seen == 4)[:, 1:] == (seen == 4)[:, :-1])[both].mean()
    assert abs(alike - (0.8**2 + 0.2**2)) < 0.03


def test_a_long_word_is_cut() -> None:
    """A word of 35 pieces is not one unit: no more than ten of its pieces hang together."""
    begins = np.zeros((1, 37), bool)
    begins[0, [0, 1, 36]] = True
    special = np.zeros((1, 37), bool)
    special[0, [0, 36]] = True
    first = units("whole_word", begins, special, window_keys(0, 0, np.array([0])))
    assert first[0].tolist() == [0, *([1] * 10), *([11] * 10), *([21] * 10), *([31] * 5), 36]


def test_spans_are_words_with_geometric_lengths() -> None:
    """Lengths of spans have SpanBERT's shares, 3.8 words on average; spans begin and end with words."""
    draws = np.random.default_rng(0).integers(0, 2**64, 200_000, dtype=np.uint64)
    lengths = span_lengths(draws)
    shares = np.bincount(lengths, minlength=LONGEST + 1)[1:] / len(lengths)
    assert shares == pytest.approx(SPANS_EXPECTED, abs=0.004)
    assert lengths.mean() == pytest.approx(3.797, abs=0.02)
    ids, real, begins = batch(2000, 200)
    special = np.isin(ids, SPECIAL)
    first = units("span", begins, special, window_keys(1, 0, np.arange(2000)))
    starts = first == np.arange(ids.shape[1])
    assert begins[starts & real].all()
    number = (begins & real).cumsum(axis=1)
    found = np.concatenate([np.diff(number[row][starts[row] & real[row]])[1:-1] for row in range(2000)])
    # Without [CLS], and without the last span, which the window's end cuts.
    assert found.mean() == pytest.approx(3.797, abs=0.15)


def test_spans_end_at_separators() -> None:
    """No span, and no word, goes on from one segment of a pair into the other."""
    begins = np.zeros((300, 20), bool)
    begins[:, 0] = True
    special = np.zeros((300, 20), bool)
    special[:, [0, 8, 19]] = True
    for strategy in ("whole_word", "span"):
        first = units(strategy, begins, special, window_keys(0, 0, np.arange(300)))
        assert (first[:, 9] == 9).all()
        assert (first[:, 1] == 1).all()


@pytest.mark.parametrize("strategy", ["token", "whole_word", "span"])
@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
def test_code_is_masked_by_its_weight(strategy: Strategy, weight: float) -> None:
    """Code is masked at the rate times its weight, 0 leaves it alone; prose keeps its rate exactly."""
    ids, real, begins = batch(3000, 80)
    code = np.zeros(ids.shape, bool)
    code[:, 30:90] = True
    masker = make(strategy, code_weight=weight)
    _, labels = masker(ids, real, np.arange(3000), 0, 0.15, begins=begins, code=code)
    chosen, tokens = labels != IGNORED, real & ~np.isin(ids, SPECIAL)
    assert chosen[tokens & ~code].mean() == pytest.approx(0.15, abs=0.006)
    assert chosen[tokens & code].mean() == pytest.approx(0.15 * weight, abs=0.006)
    if weight == 0:
        assert not chosen[code].any()


@pytest.mark.parametrize("strategy", ["whole_word", "span"])
def test_a_window_is_masked_alike_in_any_batch(strategy: Strategy) -> None:
    """One window alone gets the same mask as among others and with padding."""
    ids, real, begins = batch(6, 40)
    windows = np.array([5, 90, 17, 2, 44, 8])
    seen, labels = make(strategy)(ids, real, windows, 3, 0.15, begins=begins)
    for row, window in enumerate(windows):
        length = int(real[row].sum())
        alone = make(strategy)(
            ids[row : row + 1, :length],
            real[row : row + 1, :length],
            np.array([window]),
            3,
            0.15,
            begins=begins[row : row + 1, :length],
        )
        assert (alone[0][0] == seen[row, :length]).all()
        assert (alone[1][0] == labels[row, :length]).all()
