"""What is suggested after a run is what training has taught."""

import shlex
from typing import Any

import pytest

from tasks.run.suggestion import USUAL, improved, suggest


def sample(before: list[str], after: list[str], text: str = "a [MASK] b") -> dict[str, Any]:
    """A sample of which `portal` is the answer."""
    return {"text": text, "answer": "portal", "before": before, "after": after}


@pytest.mark.parametrize(
    ("samples", "best"),
    [
        ([], None),
        ([sample(["portal"], ["the", "portal"]), sample(["portal"], ["portal"]), sample(["a"], ["b"])], None),
        ([sample(["a", "portal"], ["portal"]), sample(["a"], ["portal"])], 1),
        ([sample(["a"], ["the", "portal"]), sample(["a", "portal"], ["portal"])], 1),
        ([sample(["a"], ["portal"]), sample(["a"], ["portal"])], 0),
        ([sample([], []), sample(["a"], ["b", "c", "portal"])], 1),
    ],
)
def test_the_answer_that_rose_most_is_chosen(samples: list[dict[str, Any]], best: int | None) -> None:
    """The highest place after training, from the lowest before; none that did not rise."""
    assert improved(samples) is (None if best is None else samples[best])


def test_a_text_is_one_argument() -> None:
    """Quotes, dollars, line breaks and a leading dash are parts of the text."""
    text = "-x 'a' \"b\" $c `d`\n[MASK] \x1b[1m"
    command, chosen = suggest([sample(["a"], ["portal"], text)], "--store", "/a b")
    said = "-x 'a' \"b\" $c `d` [MASK] �[1m"
    assert shlex.split(command) == ["docs-mlm", "predict", "--store", "/a b", "--", said]
    assert chosen is not None
    assert shlex.split(suggest([]).command) == ["docs-mlm", "predict", USUAL]
