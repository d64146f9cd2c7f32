"""Systems answer with the passages' own numbers, equal ones in their order."""

import numpy as np
import pytest

from tasks.retrieval.dense import Encoder
from tasks.retrieval.passages import Passages
from tasks.retrieval.ranking import NOTHING
from tasks.retrieval.systems import System, by_vectors, by_words, hybrid
from tests.tasks.retrieval.models import plain_folder, some_texts

TEXTS = [*some_texts(30), some_texts(30)[0], some_texts(30)[7]]
PASSAGES = Passages(np.arange(0, 320, 10), TEXTS)


@pytest.fixture(scope="module")
def dense():
    """A system of a tiny model."""
    return by_vectors("model", Encoder.load(plain_folder(), device="cpu"), PASSAGES)


def test_a_text_finds_itself_and_its_double_next(dense):
    """Under their numbers, the lower one first."""
    for system in (by_words("bm25", PASSAGES), dense):
        assert system([TEXTS[0], TEXTS[7]], 2).tolist() == [[0, 300], [70, 310]]


def test_more_ranks_than_passages_are_empty(dense):
    """What is not there is not found; a query without known words finds nothing by words."""
    assert (dense(["fox"], 40)[0, 32:] == NOTHING).all()
    assert sorted(dense(["fox"], 40)[0, :32].tolist()) == PASSAGES.ids.tolist()
    assert (by_words("bm25", PASSAGES)(["unheard"], 3) == NOTHING).all()


def test_a_hybrid_ranks_what_both_find(dense):
    """And takes what either found alone where the other found nothing."""
    words = by_words("bm25", PASSAGES)
    both = hybrid("hybrid", words, dense)
    assert both([TEXTS[7]], 1).tolist() == [[70]]
    assert both(["unheard"], 5).tolist() == dense(["unheard"], 5).tolist()


def test_the_last_queries_are_ranked_once():
    """A hybrid asks again what its systems were just asked."""
    asked = []

    def rank(queries, k):
        asked.append(k)
        return np.zeros((len(queries), k), np.int64)

    system = System("one", rank)
    for _ in range(2):
        assert system(["a", "b"], 10).shape == (2, 10)
    assert hybrid("both", system, system)(["a", "b"], 10).shape == (2, 10)
    assert asked == [100]
    assert system(["c"], 10).shape == (1, 10)
    assert system(["c"], 200).shape == (1, 200)
    assert asked == [100, 100, 200]
