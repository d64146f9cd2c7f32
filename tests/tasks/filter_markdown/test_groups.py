"""Groups are found among many texts, by chains too, and in crowds that share much."""

import numpy as np
import pytest

from tasks.filter_markdown.groups import Union, find_groups, rows_in_band
from tasks.filter_markdown.near_duplicates import PERMUTATIONS, Signatures


def copies(of: Signatures, alike: float, rng: np.random.Generator) -> Signatures:
    """Signatures that have each number in common with those of `of` at this chance."""
    other = rng.integers(0, 256, of.shape, dtype=np.uint8)
    return np.where(rng.random(of.shape) < alike, of, other)


def texts(count: int, rng: np.random.Generator) -> Signatures:
    """Signatures of texts that have nothing in common."""
    return rng.integers(0, 256, (count, PERMUTATIONS), dtype=np.uint8)


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7, 0.85, 1.0])
def test_copies_are_found_and_others_are_not(threshold: float) -> None:
    """At each threshold near copies are in one group with their original, and with nothing else."""
    rng = np.random.default_rng(1)
    originals = texts(3_000, rng)
    found = find_groups(
        np.concatenate([originals, copies(originals, min(threshold + 0.1, 1), rng)]), threshold
    )
    assert (found.together[3_000:] == found.together[:3_000]).mean() > 0.999
    assert len(np.unique(found.together)) >= 3_000
    if threshold > 0.3:
        assert (found.near[3_000:] == np.arange(3_000)).mean() > 0.95


def test_a_chain_is_one_group() -> None:
    """Where each resembles the next, the first and the last are in one group, called by the first."""
    rng = np.random.default_rng(2)
    chain = [texts(1, rng)]
    for _ in range(40):
        chain.append(copies(chain[-1], 0.95, rng))
    found = find_groups(np.concatenate([*chain, texts(40, rng)]), 0.85)
    assert found.near[:41].tolist() == [0] * 41
    assert found.near[41:].tolist() == list(range(41, 81))


def test_copies_are_found_in_a_crowd() -> None:
    """Thousands of texts of one template share many bands without being copies: each still finds its own."""
    rng = np.random.default_rng(3)
    template = np.repeat(texts(1, rng), 4_000, axis=0)
    crowd = copies(template, 0.7, rng)
    found = find_groups(np.concatenate([crowd, copies(crowd, 0.92, rng)]), 0.85)
    assert (found.together[4_000:] == found.together[:4_000]).mean() > 0.999
    assert np.unique(found.near, return_counts=True)[1].max() <= 4


def test_no_texts_are_no_groups() -> None:
    """Nothing is found of nothing, and one text is alone."""
    assert len(find_groups(np.empty((0, PERMUTATIONS), np.uint8), 0.85).near) == 0
    assert find_groups(np.zeros((1, PERMUTATIONS), np.uint8), 0.85).near.tolist() == [0]


def test_bands_miss_next_to_nothing() -> None:
    """Pairs at the lowest similarity agree in a band, but for one in a thousand; wider bands compare less."""
    assert [rows_in_band(similarity) for similarity in (0.05, 0.35, 0.7, 0.85)] == [1, 2, 4, 4]


def test_unions_are_transitive() -> None:
    """In whatever order pairs come, many at once or one by one."""
    rng = np.random.default_rng(4)
    pairs = rng.permutation(np.stack([np.arange(999), np.arange(1, 1000)], axis=1))
    for parts in (1, 10, 999):
        union = Union(np.arange(1_001))
        for part in np.array_split(pairs, parts):
            union.unite(part[:, 0], part[:, 1])
        assert union.firsts.tolist() == [0] * 1000 + [1000]
