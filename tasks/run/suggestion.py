"""What to type after a run: a held-out sentence whose word the model has learnt, for a shell to read."""

import shlex
from collections.abc import Sequence
from typing import Any, NamedTuple

from tasks.cards import printable

USUAL = "The [MASK] is ready."
"""Asked where no sentence got a better answer."""
_ABSENT = 1_000
"""The rank of a word that is not among the guesses."""


class Suggestion(NamedTuple):
    """A command to try, and what is known of its answer."""

    command: str
    sample: dict[str, Any] | None
    """`answer`, and the guesses `before` and `after`; None for the usual sentence."""


def suggest(samples: Sequence[dict[str, Any]], *options: str) -> Suggestion:
    """The `docs-mlm predict` to try, with `options`, on the sample that training improved most."""
    sample = improved(samples)
    text = " ".join(printable(sample["text"]).split()) if sample else USUAL
    end = ["--", text] if text.startswith("-") else [text]
    return Suggestion(shlex.join(["docs-mlm", "predict", *options, *end]), sample)


def improved(samples: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """The sample whose answer ranks higher than before, the highest first; None if there is none."""
    ranks = [
        (_rank(sample["after"], sample["answer"]), -_rank(sample["before"], sample["answer"]), place)
        for place, sample in enumerate(samples)
    ]
    better = [rank for rank in ranks if rank[0] < -rank[1]]
    return samples[min(better)[2]] if better else None


def _rank(guesses: Sequence[str], answer: str) -> int:
    return guesses.index(answer) if answer in guesses else _ABSENT
