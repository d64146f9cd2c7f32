"""Cuts leave nothing out, fit the room, and wait for good places."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.tokenize_corpus.cutting import LINE, PARAGRAPH, SENTENCE, WORD, boundary_scores, cut_windows


@given(st.lists(st.integers(0, 4), max_size=400), st.integers(1, 40))
@settings(max_examples=300, deadline=None)
def test_windows_rebuild_the_document(scores, room):
    """Windows follow one another without a gap, none is empty, and none is longer than its room."""
    windows = cut_windows(np.array(scores, np.int64), room)
    assert [a for a, _ in windows] == [0, *(b for _, b in windows)][: len(windows)]
    assert sum(b - a for a, b in windows) == len(scores)
    assert all(0 < b - a <= room for a, b in windows)


def test_a_cut_waits_for_a_paragraph():
    """Of the places near a window's end, the one before a paragraph is taken."""
    scores = np.full(100, WORD)
    scores[[44, 47]] = [PARAGRAPH, SENTENCE]
    assert cut_windows(scores, 50)[0].tolist() == [0, 44]


def test_boundaries_come_from_the_text():
    """Paragraphs, lines, sentences and words score in that order, and pieces of a word score nothing."""
    text = "ab. cd\nef\n\nghij"
    starts = np.array([0, 2, 4, 7, 11, 13])
    ends = np.array([2, 3, 6, 9, 13, 15])
    expected = [0, 0, SENTENCE, LINE, PARAGRAPH, 0]
    assert boundary_scores(text, starts, ends).tolist() == expected
    assert boundary_scores(text.replace("a", "é"), starts, ends).tolist() == expected
    assert boundary_scores(text.replace(".", "\u3002"), starts, ends).tolist() == [0, 0, WORD, *expected[3:]]
