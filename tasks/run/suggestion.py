"""What to type after a run: a held-out sentence whose word the model has learnt, for a shell to read."""

import shlex
from collections.abc import Sequence
from typing import Any, NamedTuple

from tasks.cards import printable
from tasks.train_model.card import learnt_first

USUAL = "The [MASK] is ready."
"""Asked where no sentence got a better answer."""


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
    return next(iter(learnt_first(samples)), None)
