"""The figures are those that their papers define, a query at a time."""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.retrieval.figures import figures
from tasks.retrieval.ranking import NOTHING


def plain(ranked, relevant):
    """The figures of one query, as their definitions read."""
    gains = [number in relevant for number in ranked[:10]]
    gained = sum(gain / math.log2(rank + 2) for rank, gain in enumerate(gains))
    ideal = sum(1 / math.log2(rank + 2) for rank in range(min(10, len(set(relevant)))))
    first = next((1 / (rank + 1) for rank, gain in enumerate(gains) if gain), 0.0)
    return gained / ideal, first, sum(gains) / len(set(relevant))


RANKINGS = st.permutations(range(16)).map(lambda numbers: numbers[:14])
RELEVANT = st.lists(st.integers(0, 20), min_size=1, max_size=14)


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(RANKINGS, RELEVANT), max_size=5), st.integers(1, 14))
def test_figures_are_those_of_their_definitions(queries, k):
    """Whatever is ranked and relevant, with a number twice among the relevant ones or ranks above 10."""
    ranked = np.array([numbers[:k] for numbers, _ in queries], np.int64).reshape(len(queries), k)
    found = figures(ranked, [relevant for _, relevant in queries])
    wanted = [plain(numbers[:k], relevant) for numbers, relevant in queries]
    table = np.array(wanted).reshape(len(queries), 3)
    np.testing.assert_allclose(np.stack([found.ndcg, found.mrr, found.recall], axis=1), table, atol=1e-12)


def test_what_was_not_found_gains_nothing():
    """A place that nothing stands in is no hit."""
    found = figures(np.array([[NOTHING, 3], [NOTHING, NOTHING]]), [[3], [1]])
    assert found.mrr.tolist() == [0.5, 0.0]


def test_a_query_without_an_answer_is_refused():
    """It would be 0 for every system; it is named by its place."""
    with pytest.raises(ValueError, match="query 1 has no relevant passage"):
        figures(np.array([[1], [2]]), [[1], []])
    with pytest.raises(ValueError, match="2 rankings, but relevant passages of 1"):
        figures(np.array([[1], [2]]), [[1]])
