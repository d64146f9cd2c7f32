"""The probe asks all systems the same, and tells what a plain count tells."""

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.retrieval.figures import figures
from tasks.retrieval.intervals import intervals
from tasks.retrieval.passages import Queries
from tasks.retrieval.probe import probe, sample
from tasks.retrieval.systems import System

RANDOM = np.random.default_rng(0)
KINDS = ["title", "anchor", "heading", "title", "anchor"]
QUERIES = Queries(
    [f"query {number}" for number in range(60)],
    [KINDS[number % 5] for number in range(60)],
    [sorted({number, (7 * number) % 60}) for number in range(60)],
    [f"page-{number // 6}.md" for number in range(60)],
)


def answers(name, share):
    """A system that puts a relevant passage at a random rank, first for some of the queries."""
    random = np.random.default_rng(len(name))
    known = {}
    for number, text in enumerate(QUERIES.texts):
        ranking = random.permutation(np.arange(100, 220))[:100]
        ranking[0 if random.random() < share else random.integers(20)] = number
        known[text] = ranking
    return System(name, lambda queries, k: np.stack([known[query] for query in queries])[:, :k])


GOOD, BAD = answers("good", 0.9), answers("poor one", 0.1)


def test_figures_and_intervals_are_those_of_each_kind():
    """By system and kind, and of all together; the interval is over the documents of these queries."""
    found = probe(QUERIES, [GOOD, BAD])
    assert list(found.figures) == ["good", "poor one"]
    for kind in ("title", "heading", "anchor", "all"):
        rows = [place for place, own in enumerate(QUERIES.kinds) if kind in (own, "all")]
        some = QUERIES.take(rows)
        wanted = figures(GOOD(some.texts, 10), some.relevant)
        (interval,) = intervals(wanted.ndcg[:, None], some.documents)
        assert found.figures["good"][kind] == {
            "ndcg@10": pytest.approx(interval.mean),
            "mrr@10": pytest.approx(wanted.mrr.mean()),
            "recall@10": pytest.approx(wanted.recall.mean()),
            "low": pytest.approx(interval.low),
            "high": pytest.approx(interval.high),
            "queries": len(rows),
        }
    assert "description" not in found.figures["good"]
    assert json.loads(json.dumps(found.as_json()))["good"]["all"]["queries"] == 60


def test_differences_are_paired():
    """The gain of one system over another, query by query, with its own interval."""
    found = probe(QUERIES, [BAD, GOOD], compared=[("good", "poor one")])
    (pair,) = found.as_json()["paired"]
    assert (pair["system"], pair["over"]) == ("good", "poor one")
    gains = figures(GOOD(QUERIES.texts, 10), QUERIES.relevant).ndcg
    gains -= figures(BAD(QUERIES.texts, 10), QUERIES.relevant).ndcg
    (wanted,) = intervals(gains[:, None], QUERIES.documents)
    assert pair["all"] == {
        "ndcg@10": pytest.approx(wanted.mean),
        "low": pytest.approx(wanted.low),
        "high": pytest.approx(wanted.high),
    }
    assert set(pair) == {"system", "over", "title", "heading", "anchor", "all"}


def test_the_first_hit_of_each_query_is_told():
    """For a person to look at, in the order of the queries that were asked."""
    found = probe(QUERIES, [GOOD], max_queries=20)
    assert found.first["good"] == GOOD(found.queries.texts, 1)[:, 0].tolist()


def test_a_bound_takes_whole_documents():
    """All queries of some documents, the same for every run, and others by another seed."""
    chosen = sample(QUERIES, 20)
    assert len(chosen) == 18
    assert all(QUERIES.documents.count(path) == chosen.documents.count(path) for path in chosen.documents)
    assert sample(QUERIES, 20) == chosen
    assert chosen.texts == sorted(chosen.texts, key=QUERIES.texts.index)
    assert any(sample(QUERIES, 20, seed) != chosen for seed in range(1, 4))
    assert probe(QUERIES, [GOOD], max_queries=20).figures["good"]["all"]["queries"] == 18


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=30), st.integers(1, 30))
def test_a_bound_is_kept(documents, most):
    """There is something to ask, and never more; one that is large enough changes nothing."""
    queries = Queries(["q"] * len(documents), ["title"] * len(documents), [[1]] * len(documents), documents)
    assert 1 <= len(sample(queries, most)) <= most
    if most >= len(documents):
        assert sample(queries, most) == queries


def test_another_document_leaves_the_chosen_ones():
    """A later run, whose documents are more, asks again what an earlier one asked, but for the bound."""
    some = QUERIES.take([place for place in range(60) if QUERIES.documents[place] != "page-3.md"])
    before, after = set(sample(some, 30).documents), set(sample(QUERIES, 30).documents)
    assert len(before - after) <= 1


def test_nothing_to_ask_is_refused():
    """As is a comparison with a system that is not there."""
    with pytest.raises(ValueError, match="no queries"):
        probe(QUERIES.take([]), [GOOD])
    with pytest.raises(ValueError, match="is not in list"):
        probe(QUERIES, [GOOD], compared=[("good", "unknown")])
