"""Words rank passages as BM25's formula says, and equal scores by number."""

import math
from collections import Counter

import bm25s
import numpy as np
import pytest
from bm25s.stopwords import STOPWORDS_EN
from hypothesis import given
from hypothesis import strategies as st

from tasks.retrieval.bm25 import STOP_WORDS, Words, words_of
from tasks.retrieval.ranking import NOTHING

TEXTS = [
    "Rotate the key of a vault.",
    "Restart the agent, then rotate its key: the key is stored in the vault.",
    "Nothing of the kind.",
    "Rotate the key of a vault.",
    "",
]


def plain(query, k1=1.5, b=0.75):
    """Lucene's BM25 of each text, as its formula reads."""
    documents = [Counter(words_of(text)) for text in TEXTS]
    mean = sum(document.total() for document in documents) / len(documents)
    scores = []
    for document in documents:
        norm = k1 * (1 - b + b * document.total() / mean)
        score = 0.0
        for word in words_of(query):
            holding = sum(word in other for other in documents)
            rarity = math.log(1 + (len(documents) - holding + 0.5) / (holding + 0.5))
            score += rarity * document[word] / (document[word] + norm)
        scores.append(score)
    return scores


@pytest.mark.parametrize("query", ["rotate a key", "vault vault agent", "key KEY restarted"])
def test_scores_are_those_of_the_formula(query):
    """Of Lucene's variant, to what 32 bits hold."""
    np.testing.assert_allclose(Words.of(TEXTS).scores(query), plain(query), rtol=1e-5, atol=1e-6)


@given(st.text())
def test_words_are_those_of_bm25s(text):
    """A query is cut as the passages were, without loading what cut them."""
    text += " The key's nodes; ARE_WE Größe İ x 42 naïve"
    assert words_of(text) == bm25s.tokenize(text, return_ids=False, show_progress=False)[0]
    assert set(STOPWORDS_EN) == STOP_WORDS


@given(st.lists(st.sampled_from([*"abc", "key", "vault", "agent", "rotate", "kind"]), max_size=9))
def test_scores_are_those_of_bm25s(words):
    """To the bit, whatever words are asked for, and however often."""
    index = bm25s.BM25()
    index.index(bm25s.tokenize(TEXTS, show_progress=False), show_progress=False)
    known = [word for word in words_of(" ".join(words)) if word in index.vocab_dict]
    expected = index.get_scores_from_ids(index.get_tokens_ids(known))
    assert Words.of(TEXTS).scores(" ".join(words)).tobytes() == expected.tobytes()


def test_equal_passages_come_by_their_number():
    """And one that has no word of the query is not found."""
    ids, scores = Words.of(TEXTS).rank(["vault of keys", "unheard"], 4)
    assert ids.tolist() == [[0, 3, 1, NOTHING], [NOTHING] * 4]
    assert scores[0, 0] == scores[0, 1] > scores[0, 2]


def test_a_saved_index_ranks_the_same(tmp_path):
    """Its arrays come from files, which are the same each time."""
    words = Words.of(TEXTS)
    words.save(tmp_path / "a")
    Words.of(TEXTS).save(tmp_path / "b")
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in files)
    again = Words.load(tmp_path / "a")
    assert again.passages == 5
    for before, after in zip(words.rank(TEXTS, 3), again.rank(TEXTS, 3), strict=True):
        assert (before == after).all()


def test_passages_without_a_word_are_refused():
    """There is nothing to rank by."""
    with pytest.raises(ValueError, match="no passage has a word"):
        Words.of(["", "the"])
