"""Intervals resample documents, and say what a plain loop says."""

import random
import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.retrieval import intervals as module
from tasks.retrieval.intervals import apart, intervals, resampled_means

QUERIES = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=30
).filter(lambda queries: len({document for document, _, _ in queries}) > 1)


def plain(queries, seed, resamples):
    """The mean of the first and of the second value in each resample, one document after another."""
    names = sorted({document for document, _, _ in queries})
    generator = np.random.default_rng(seed)
    means = []
    for _ in range(resamples):
        drawn = [names[number] for number in generator.integers(0, len(names), len(names))]
        taken = [query for name in drawn for query in queries if query[0] == name]
        means.append([sum(query[place] for query in taken) / len(taken) for place in (1, 2)])
    return np.array(means)


@settings(deadline=None, max_examples=30, suppress_health_check=list(HealthCheck))
@given(QUERIES, st.integers(0, 3), st.sampled_from([1, 7, 1 << 21]))
def test_resamples_are_those_of_a_plain_loop(queries, seed, drawn_at_once):
    """The same documents are drawn, each with all its queries, however many resamples are made at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_DRAWN_AT_ONCE", drawn_at_once)
        values = np.array([[first, second] for _, first, second in queries])
        names = [document for document, _, _ in queries]
        numbers = np.array([sorted(set(names)).index(name) for name in names])
        wanted = plain(queries, seed, 50)
        np.testing.assert_allclose(resampled_means(values, numbers, seed, 50), wanted, atol=1e-12)
        found = intervals(values, names, seed=seed, resamples=50)
        (paired,) = intervals(apart(values, [(0, 1)]), names, seed=seed, resamples=50)
    for one, column in zip([*found, paired], [*wanted.T, wanted[:, 0] - wanted[:, 1]], strict=True):
        assert one.low == pytest.approx(np.percentile(column, 2.5), abs=1e-12)
        assert one.high == pytest.approx(np.percentile(column, 97.5), abs=1e-12)
    assert found[0].mean == pytest.approx(values[:, 0].mean())


def test_queries_of_one_document_hang_together():
    """A hundred equal queries of each document tell no more than one, so the interval is as wide."""
    generator = np.random.default_rng(0)
    one_each = generator.random((40, 1))
    documents = np.arange(40)
    few = intervals(one_each, documents)
    many = intervals(np.repeat(one_each, 100, axis=0), np.repeat(documents, 100))
    assert many[0].low == pytest.approx(few[0].low)
    assert many[0].high == pytest.approx(few[0].high)


def test_a_paired_difference_leaves_out_what_both_find_hard():
    """Two systems that differ by the same everywhere differ by that for sure, however far they vary."""
    values = np.random.default_rng(0).random((200, 1))
    (found,) = intervals(apart(np.hstack([values + 0.02, values]), [(0, 1)]), np.arange(200) // 4)
    assert (found.low, found.high) == (pytest.approx(0.02), pytest.approx(0.02))
    both = intervals(np.hstack([values + 0.02, values]), np.arange(200) // 4)
    assert both[0].low < both[1].high


def test_one_document_has_no_interval():
    """Nothing tells how another document would do."""
    (found,) = intervals(np.array([[0.0], [1.0]]), ["a", "a"])
    assert (found.mean, found.low, found.high) == (0.5, None, None)


def test_the_order_of_documents_changes_nothing():
    """Resamples follow from the documents' names, not from where their queries stand."""
    values = np.random.default_rng(2).random((50, 2))
    names = [f"page-{number % 9}" for number in range(50)]
    order = random.Random(0).sample(range(50), 50)
    first = intervals(values, names)
    assert intervals(values[order], [names[place] for place in order]) == [
        type(one)(pytest.approx(one.mean), pytest.approx(one.low), pytest.approx(one.high)) for one in first
    ]


def test_thousands_of_queries_take_seconds_of_no_loop():
    """Ten thousand resamples of 5,000 queries cost less than a hundredth of what a plain loop does."""
    values = np.random.default_rng(0).random((5000, 4))
    documents = np.arange(5000) // 5
    begun = time.process_time()
    intervals(values, documents)
    vectorised = time.process_time() - begun
    queries = [(str(document), *row[:2]) for document, row in zip(documents, values.tolist(), strict=True)]
    begun = time.process_time()
    plain(queries, 0, 1)
    assert vectorised < (time.process_time() - begun) * 10_000 / 100
