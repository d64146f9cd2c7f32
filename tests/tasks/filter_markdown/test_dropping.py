"""Copies are found among all documents, and held-out documents stay held out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.errors import UserError
from tasks.filter_markdown.dropping import (
    EVAL,
    TRAIN,
    Fingerprints,
    decide,
    held_out,
    position_of,
    sides_warning,
    sort_out,
)  # fmt: skip
from tasks.filter_markdown.near_duplicates import fingerprints
from tasks.filter_markdown.settings import FilterSettings

Texts = dict[str, str]


def prints(texts: Texts) -> Fingerprints:
    """The fingerprints of texts by path."""
    found = Fingerprints()
    for path, text in texts.items():
        found.add(path, *fingerprints([text])[0])
    return found


def fates(texts: Texts, **chosen: object) -> dict[str, str]:
    """What becomes of each."""
    return dict(zip(texts, decide(prints(texts), FilterSettings(**chosen)).fates, strict=True))


TEXTS = st.dictionaries(
    st.text(alphabet="abc/.", min_size=1, max_size=6), st.sampled_from("UVWXYZ"), min_size=2, max_size=30
)
SHARES = st.floats(0.01, 0.5)


def test_of_equal_texts_the_first_by_path_stays() -> None:
    """Copies go, whatever the order in which the documents come."""
    texts = {"c": "x", "a": "x", "b": "x", "d": "y"}
    assert sort_out(prints(texts), FilterSettings()).reasons == [
        "exact_duplicate",
        None,
        "exact_duplicate",
        None,
    ]
    assert sort_out(prints(texts), FilterSettings(duplicates="keep")).reasons == [None] * 4


def test_positions_are_fixed_for_ever() -> None:
    """A path's place is the same in every version: moving it would leak what was held out."""
    assert position_of("articles/overview.md") == pytest.approx(0.7658257, abs=1e-6)


@settings(deadline=None)
@given(TEXTS, SHARES)
def test_copies_never_stand_on_both_sides(texts: Texts, share: float) -> None:
    """Where copies are kept, all copies of a text are held out or none is, and both sides have something."""
    if len(set(texts.values())) < 2:
        return
    found = fates(texts, duplicates="keep", eval_fraction=share)
    evaluated = {texts[path] for path, fate in found.items() if fate == EVAL}
    trained = {texts[path] for path, fate in found.items() if fate == TRAIN}
    assert evaluated
    assert trained
    assert not evaluated & trained


@settings(max_examples=20, deadline=None)
@given(st.sets(st.integers(0, 10_000), min_size=300, max_size=400), st.integers(10_001, 20_000))
def test_more_documents_move_none(numbers: set[int], new: int) -> None:
    """A new document changes no other document's side, and about the share asked for is held out."""
    texts = {f"articles/{number}.md": f"text {number}" for number in numbers}
    found = fates(texts)
    more = fates({**texts, f"articles/{new}.md": f"text {new}"})
    assert {path: more[path] for path in texts} == found
    assert 0.01 < list(found.values()).count(EVAL) / len(found) < 0.25


def test_nothing_is_held_out_unasked() -> None:
    """A share of 0 holds nothing out, even of a single document."""
    assert fates({"a": "x"}, eval_fraction=0) == {"a": TRAIN}


def pages(count: int, versions: int = 1) -> Texts:
    """Pages of their own words, in versions that differ in a word."""
    return {
        f"v{version}/{page:03}.md": " ".join([*(f"w{page}x{n}" for n in range(80)), f"v{version}"])
        for version in range(versions)
        for page in range(count)
    }


def test_one_group_cannot_be_on_both_sides() -> None:
    """A single text, copies or not, or near copies alone, are a user's error that says what to set."""
    for texts in ({"a": "x"}, {"a": "x", "b": "x"}, pages(1, 3)):
        with pytest.raises(UserError, match=r"filter\.eval_fraction=0"):
            fates(texts, duplicates="keep")
    with pytest.raises(UserError, match=r"3 texts, all near copies of one another.*nearer to 1"):
        fates(pages(1, 3))


def test_a_group_goes_where_its_first_document_goes() -> None:
    """A page's versions are on the side that its first alone would be on, and a later one moves none."""
    alone, two, three = (fates(pages(200, versions)) for versions in (1, 2, 3))
    assert {path: two[path] for path in alone} == alone
    assert {path: three[path] for path in two} == two
    assert all(three[path] == three[f"v0/{path[3:]}"] for path in three)


def test_a_group_too_large_to_be_held_out_trains() -> None:
    """A group of more than the share asked for is never held out, wherever its first path falls."""
    for number in range(40):
        texts = pages(60) | {f"{number}/{n}.md": f"{' '.join(map(str, range(90)))} {n}" for n in range(20)}
        found = fates(texts)
        assert {found[f"{number}/{n}.md"] for n in range(20)} == {TRAIN}
        assert EVAL in found.values()


def test_where_every_group_is_too_large_the_smallest_is_held_out() -> None:
    """The held-out part is not empty, and most of the documents train."""
    texts = {path: text for path, text in pages(3, 5).items() if path not in ("v3/001.md", "v4/001.md")}
    found = fates(texts)
    assert {path[3:] for path, fate in found.items() if fate == EVAL} == {"001.md"}


def test_the_side_that_was_decided_elsewhere_holds_for_the_group() -> None:
    """Of a joint corpus a group follows its first document's side, not its path."""
    paths = ["a", "b", "c", "d"]
    together = np.array([0, 0, 2, 3])
    asked = np.array([False, True, True, False])
    assert held_out(paths, together, 0.5, asked).tolist() == [False, False, True, False]


@pytest.mark.parametrize(
    ("held", "largest", "warned"),
    [(3, 1, False), (3, 4, False), (10, 8, False), (10, 11, True), (4, 6, True), (21, 6, True)],
)
def test_a_split_that_groups_have_moved_is_told(held: int, largest: int, warned: bool) -> None:
    """Where the largest group is more than the share, or large ones have missed it by a factor of two."""
    assert (sides_warning(100, held, largest, 0.1) is not None) is warned
