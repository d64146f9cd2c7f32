"""Copies are found among all documents, and held-out documents stay held out."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.errors import UserError
from tasks.filter_markdown.dropping import Fingerprint, copies, held_out, position_of
from tasks.filter_markdown.settings import FilterSettings


def document(path: str, text: str | None = None) -> Fingerprint:
    """A document with `text`, its own if None."""
    return Fingerprint(path=path, digest=hashlib.sha256((text or path).encode()).digest())


DOCUMENTS = st.dictionaries(
    st.text(alphabet="abc/.", min_size=1, max_size=6), st.sampled_from("UVWXYZ"), min_size=2, max_size=30
).map(lambda found: [document(path, text) for path, text in found.items()])
SHARES = st.floats(0.01, 0.5)


def test_of_equal_texts_the_first_by_path_stays() -> None:
    """Copies go, whatever the order in which the documents come."""
    found = [document("c", "x"), document("a", "x"), document("b", "x"), document("d", "y")]
    assert copies(found, FilterSettings()) == {"b": "exact_duplicate", "c": "exact_duplicate"}
    assert copies(found, FilterSettings(duplicates="keep")) == {}


def test_positions_are_fixed_for_ever() -> None:
    """A path's place is the same in every version: moving it would leak what was held out."""
    assert position_of("articles/overview.md") == pytest.approx(0.7658257, abs=1e-6)


@given(DOCUMENTS, SHARES)
def test_copies_never_stand_on_both_sides(found: list[Fingerprint], share: float) -> None:
    """Where copies are kept, all copies of a text are held out or none is, and both sides have something."""
    if len({d.digest for d in found}) < 2:
        return
    chosen = held_out(found, share)
    evaluated = {d.digest for d in found if d.path in chosen}
    trained = {d.digest for d in found if d.path not in chosen}
    assert evaluated
    assert trained
    assert not evaluated & trained


@settings(max_examples=20)
@given(st.sets(st.integers(0, 10_000), min_size=300, max_size=400), st.integers(10_001, 20_000))
def test_more_documents_move_none(numbers: set[int], new: int) -> None:
    """A new document changes no other document's side, and about the share asked for is held out."""
    found = [document(f"articles/{number}.md") for number in numbers]
    chosen = held_out(found, 0.1)
    assert held_out([*found, document(f"articles/{new}.md")], 0.1) - {f"articles/{new}.md"} == chosen
    assert 0.01 < len(chosen) / len(found) < 0.25


def test_nothing_is_held_out_unasked() -> None:
    """A share of 0 holds nothing out, even of a single document."""
    assert held_out([document("a")], 0.0) == set()


def test_one_text_cannot_be_on_both_sides() -> None:
    """A single text, copies or not, is a user's error that says what to set."""
    with pytest.raises(UserError, match=r"filter\.eval_fraction=0"):
        held_out([document("a", "x"), document("b", "x")], 0.1)
