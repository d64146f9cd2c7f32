"""The best come first, and equal ones by their number."""

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.retrieval import ranking
from tasks.retrieval.ranking import NOTHING, best, nearest

FEW_VALUES = [-np.inf, -1.0, 0.0, 0.5, 2.0]


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 5), st.integers(0, 12), st.integers(1, 15), st.integers(0, 1000))
def test_the_best_are_those_of_a_plain_sort(rows, columns, k, seed):
    """By score and then by place, without those of minus infinity, however many are equal."""
    scores = np.random.default_rng(seed).choice(FEW_VALUES, (rows, columns)).astype(np.float32)
    ids, found = best(scores, k)
    for row, values in enumerate(scores.tolist()):
        hits = sorted(place for place, value in enumerate(values) if value > -np.inf)
        wanted = sorted(hits, key=lambda place: -values[place])[:k]
        assert ids[row].tolist() == wanted + [NOTHING] * (k - len(wanted))
        assert found[row].tolist() == [values[place] for place in wanted] + [-np.inf] * (k - len(wanted))


def test_blocks_change_nothing(monkeypatch):
    """The nearest passages are the same whether all scores are held at once or those of one query."""
    random = np.random.default_rng(0)
    queries, passages = (
        random.standard_normal((7, 8), np.float32),
        random.standard_normal((30, 8), np.float32),
    )
    whole = nearest(queries, passages, 5)
    monkeypatch.setattr(ranking, "_SCORES_AT_ONCE", 30)
    ids, scores = nearest(queries, passages, 5)
    assert (ids == whole[0]).all()
    np.testing.assert_allclose(scores, whole[1], rtol=1e-6)
    np.testing.assert_allclose(scores, -np.sort(-(queries @ passages.T), axis=1)[:, :5], rtol=1e-6)


def test_half_precision_finds_the_same():
    """Vectors of 16 bits are computed with in 32."""
    random = np.random.default_rng(1)
    passages = random.standard_normal((40, 16)).astype(np.float16)
    queries = passages[:9].astype(np.float32)
    ids, scores = nearest(queries, passages, 1)
    assert ids[:, 0].tolist() == list(range(9))
    assert scores.dtype == np.float32
