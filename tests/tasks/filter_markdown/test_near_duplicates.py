"""Similar texts have similar signatures, and the same similarity by whatever letters."""

import random

import numpy as np
import pytest

from tasks.filter_markdown.near_duplicates import PERMUTATIONS, WORDS, fingerprints, similarity

ENGLISH = [f"word{number}" for number in range(600)]
CHINESE = [chr(0x4E00 + 7 * number) for number in range(600)]


def exact(texts: list[list[str]]) -> float:
    """The Jaccard similarity of the word 5-grams of two texts."""
    grams = [{tuple(words[i : i + WORDS]) for i in range(len(words) - WORDS + 1)} for words in texts]
    return len(grams[0] & grams[1]) / len(grams[0] | grams[1])


def estimated(texts: list[str]) -> float:
    """What the signatures of two texts tell of their similarity."""
    rows = np.frombuffer(b"".join(signature for _, signature in fingerprints(texts)), np.uint8).reshape(
        -1, PERMUTATIONS
    )
    return float(similarity(rows, np.array([0]), np.array([1]))[0])


@pytest.mark.parametrize(("words", "between"), [(ENGLISH, " "), (CHINESE, "")], ids=["English", "Chinese"])
@pytest.mark.parametrize("changed", [0, 3, 20, 60, 300])
def test_signatures_tell_the_similarity(words: list[str], between: str, changed: int) -> None:
    """Within four deviations of the estimate, with spaces between the words and without."""
    other = list(words)
    for place in random.Random(changed).sample(range(len(words)), changed):
        other[place] = "X" * 3
    true = exact([words, other])
    found = estimated([between.join(words), between.join(other)])
    assert found == pytest.approx(true, abs=4 * (max(true * (1 - true), 0.01) / PERMUTATIONS) ** 0.5)


def test_white_space_makes_no_difference_and_case_only_to_the_digest() -> None:
    """Lines folded elsewhere are the same text; other case is a near copy; another text is neither."""
    text = " ".join(ENGLISH)
    digest, signature = fingerprints([text])[0]
    for spaced in (
        text.replace(" ", "\n"),
        f"\t{text}  ",
        text.replace(" ", "\u00a0", 40),
        text.replace(" ", " \r\n "),
    ):
        assert fingerprints([spaced])[0] == (digest, signature)
    assert fingerprints([text.upper()])[0][0] != digest
    assert fingerprints([text.upper()])[0][1] == signature
    assert fingerprints([text + " end"])[0][0] != digest
    assert estimated([text, " ".join(reversed(ENGLISH))]) < 0.1


def test_signatures_are_fixed_for_ever() -> None:
    """They decide what a stored corpus holds: another library or machine must make the same."""
    assert (
        fingerprints(["The queue keeps each message for seven days."])[0][1][:8].hex() == "93e46b9074208069"
    )


@pytest.mark.parametrize("text", ["", " ", "one", "one two three", "\ud800", "a" * 100_000, "a " * 100_000])
def test_any_text_has_a_fingerprint(text: str) -> None:
    """However short, long or odd."""
    assert [len(part) for part in fingerprints([text])[0]] == [16, PERMUTATIONS]
