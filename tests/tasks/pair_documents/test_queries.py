"""Queries that find nothing in particular are known."""

import pytest

from tasks.pair_documents.queries import normalised, why_generic, why_no_anchor


@pytest.mark.parametrize(
    ("query", "same"),
    [
        ("Rotate a  Key!", "rotate a key"),
        ("`rotate`, a\nKEY", "rotate a key"),
        ("Ｒotate a key…", "rotate a key"),
        ("Install C++ and C#", "install c++ and c#"),
        ("…", ""),
    ],
)
def test_queries_are_normalised(query: str, same: str) -> None:
    """Case, white space and punctuation tell no queries apart; `C++` and `C#` are not `C`."""
    assert normalised(query) == same


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("See also", "generic"), ("Next steps", "generic"), ("Example 12", "generic"), ("Step 3:", "generic"),
        ("What's new?", "generic"), ("--", "no_words"), ("Rotate a key", None), ("Keys", None),
    ],
)  # fmt: skip
def test_generic_headings_are_known(query: str, why: str | None) -> None:
    """Whatever their case, their punctuation and their number."""
    assert why_generic(normalised(query)) == why


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("here", "pointing_anchor"), ("Click here.", "pointing_anchor"), ("this page", "pointing_anchor"),
        ("kubectl", "one_word_anchor"), ("rotate keys", None),
        ("キーの回転", None), ("鍵", "one_word_anchor"),
    ],
)  # fmt: skip
def test_links_words_that_only_point_are_known(words: str, why: str | None) -> None:
    """One word is too little, but of scripts without spaces between words."""
    assert why_no_anchor(normalised(words)) == why
