"""The domain's words are those that its documents have and the language has not, whole and held out."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.evaluate_model import domain_words as module
from tasks.evaluate_model import masked
from tasks.evaluate_model.domain_words import choose_words, domain_words, masked_words, shares_in, words_in
from tasks.evaluate_model.given import NotMeasured
from tasks.evaluate_model.masked import cut_windows, load_tokenizer
from tasks.evaluate_model.sampling import Document
from tests.tasks.evaluate_model.making import documents, given_with, models

PAGES = [Document(path, text) for path, text in documents().items()]
WORDS = {"kubernetes", "azure", "clusters"}


@pytest.fixture(scope="module")
def tokenizer():
    """Of the model after."""
    return load_tokenizer(models()[1])


def test_words_are_chosen_by_how_much_more_frequent_they_are():
    """At least 20 times as frequent, and five times in three documents."""
    common = {"the": 0.05, "server": 5e-3, "agent": 1e-5}
    pages = [Document(str(n), "the agent the server the Kubernetes kubernetes kubectl") for n in range(5)]
    pages += [Document("one", "terraform " * 50), Document("plain", "the " * 150)]
    assert choose_words(pages, common) == {"kubernetes", "kubectl", "agent"}
    assert choose_words(pages[:2], common) == set(), "too few documents"


def test_the_most_telling_words_are_taken(monkeypatch):
    """Where there are too many, the order is the one that is told."""
    monkeypatch.setattr(module, "MOST", 2)
    pages = [Document(str(n), "alpha alpha alpha beta beta gamma") for n in range(6)]
    shares = {"alpha": 1e-2, "beta": 1e-5, "gamma": 1e-5}
    gains = {w: c * math.log(c / 36 / shares[w]) for w, c in (("alpha", 18), ("beta", 12), ("gamma", 6))}
    best = set(sorted(gains, key=gains.__getitem__)[1:])
    assert choose_words(pages, shares) == best == {"alpha", "beta"}


def test_general_english_knows_its_own_words():
    """The list of a kept package, by language; one that has none is told."""
    english = shares_in("en")
    assert english["the"] > 0.03 > 1e-4 > english["server"] > 1e-6
    assert "kubernetes" not in english
    assert shares_in("de")["und"] > 0.01
    with pytest.raises(NotMeasured, match="'xx'"):
        shares_in("xx")


def test_all_pieces_of_a_word_are_masked(tokenizer):
    """And nothing else: the other tokens are as they were; at most 15 % of a window, but a word at least."""
    windows, pieces = masked_words(PAGES, WORDS, tokenizer, 32)
    number = 0
    for one in windows:
        assert (one.seen[one.places] == tokenizer.mask_token_id).all()
        rest = np.setdiff1d(np.arange(len(one.seen)), one.places)
        assert np.array_equal(one.seen[rest], one.window.ids[rest])
        first = number
        left = list(one.places)
        while left:
            own, left = left[: pieces.lengths[number]], left[pieces.lengths[number] :]
            assert tokenizer.decode(one.window.ids[own]).replace(" ", "") == pieces.words[number]
            number += 1
        assert len(one.places) <= 0.15 * one.window.ordinary.sum() or number == first + 1
    assert number == len(pieces.lengths) == len(pieces.documents) > 20
    assert max(pieces.lengths) > 1, "some word has several pieces"


@settings(deadline=None, max_examples=30, suppress_health_check=list(HealthCheck))
@given(st.lists(st.sampled_from(["azure", "Azure", "azured", "xazure", "fox", "[MASK]", "."]), max_size=12))
def test_only_whole_words_are_found(words):
    """Not a part of a longer word, whatever its letters' case."""
    text = " ".join(["the", *words])
    tokenizer = load_tokenizer(models()[1])
    (window,) = cut_windows([Document("a", text)], tokenizer, 64)
    found = words_in(window, text, {"azure"})
    assert len(found) == sum(word.lower() == "azure" for word in words)


def test_a_word_that_a_window_cuts_is_left_out(tokenizer):
    """Its other half would give it away, or be missing."""
    text = "kubernetes " * 40
    pieces = len(tokenizer("kubernetes", add_special_tokens=False)["input_ids"])
    assert pieces > 1
    for window in cut_windows([Document("a", text)], tokenizer, 13):
        for _, places in words_in(window, text, {"kubernetes"}):
            assert len(places) == pieces


def test_a_word_is_found_if_all_its_pieces_are(monkeypatch):
    """The accuracy is of words, before and after, and the difference is paired over documents."""
    asked = []

    def predict(folder, windows, _pad, _tell=None):
        hits = np.arange(sum(len(one.places) for one in windows)) % 3 > 0
        asked[:] = hits.tolist()
        return np.zeros(len(hits)), np.ones(len(hits)) if folder == models()[1] else hits.astype(float)

    monkeypatch.setattr(masked, "predict", predict)
    kept = []
    mask = module.masked_words
    monkeypatch.setattr(module, "masked_words", lambda *given: kept.append(mask(*given)) or kept[0])
    found = domain_words(given_with())
    lengths = kept[0][1].lengths
    assert max(lengths) > 1
    ends = np.cumsum([0, *lengths])
    wanted = [all(asked[first:last]) for first, last in pairwise(ends)]
    assert found["before"] == pytest.approx(np.mean(wanted))
    assert found["after"] == 1.0
    assert found["difference"] == pytest.approx(1 - found["before"])
    assert found["low"] < found["difference"] < found["high"]
    assert found["words"] == len(lengths) >= found["different_words"] > 1


def test_real_models_are_asked():
    """The same model knows as much as itself."""
    found = domain_words(replace(given_with(), base=models()[1]))
    assert (found["difference"], found["low"], found["high"]) == (0, 0, 0)
    assert found["words"] > 5
    scratch = domain_words(replace(given_with(), base=None))
    assert (scratch["before"], scratch["after"]) == (None, found["after"])


def test_what_cannot_be_measured_is_told(monkeypatch):
    """No list of the language, no such word, or none that the vocabulary can write."""
    with pytest.raises(NotMeasured, match="'tlh'"):
        domain_words(replace(given_with(), languages=["tlh"]))
    monkeypatch.setattr(module, "RATIO", 1e9)
    with pytest.raises(NotMeasured, match="no word is much more frequent"):
        domain_words(given_with())
    monkeypatch.undo()
    monkeypatch.setattr(module, "choose_words", lambda *_: {"zzz"})
    with pytest.raises(NotMeasured, match="no held-out document has a word"):
        domain_words(given_with())
