"""Two rankings become one, by ranks alone."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.retrieval.fusion import fuse
from tasks.retrieval.ranking import NOTHING


def padded(numbers, width):
    """A ranking of some width."""
    return [*numbers, *[NOTHING] * (width - len(numbers))]


RANKING = st.lists(st.integers(0, 12), unique=True, max_size=8)


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(RANKING, RANKING), min_size=1, max_size=4), st.integers(1, 20))
def test_a_passage_gets_what_both_rankings_give_it(both, k):
    """The sum of 1 / (60 + rank), the higher first, equal ones by their number."""
    first = np.array([padded(one, 8) for one, _ in both])
    second = np.array([padded(other, 8) for _, other in both])
    ids, scores = fuse(first, second, k)
    for row, rankings in enumerate(both):
        sums = {}
        for ranking in rankings:
            for rank, number in enumerate(ranking, 1):
                sums[number] = sums.get(number, 0) + 1 / (60 + rank)
        wanted = sorted(sums, key=lambda number: (-sums[number], number))[:k]
        assert ids[row].tolist() == padded(wanted, k)
        assert scores[row, : len(wanted)].tolist() == pytest.approx([sums[number] for number in wanted])


def test_what_both_find_comes_before_what_one_finds_first():
    """That is what the fusion is for."""
    ids, _ = fuse(np.array([[7, 3]]), np.array([[5, 3]]), 3)
    assert ids.tolist() == [[3, 5, 7]]
