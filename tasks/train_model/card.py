"""How a training went, for the Prefect UI: figures, the loss curve, and guesses before and after."""

from collections.abc import Sequence
from typing import Any

from tasks.cards import code, figures_table, quote
from tasks.records import TrainedModel
from tasks.training.curve import loss_curve

_ABSENT = 1_000
"""The rank of a word that is not among the guesses."""


def training_card(trained: TrainedModel) -> str:
    """How the training went: figures, then the loss curve."""
    before, after = trained.eval_before or {}, trained.eval_after or {}
    curve = loss_curve(trained.history, eval_before=before.get("loss"), eval_after=after.get("loss"))
    resumed = f", resumed at step {trained.resumed_from_step:,}" if trained.resumed_from_step else ""
    return f"""{figures_table(trained)}

{trained.global_step:,} steps{resumed}, {trained.tokens_per_second:,.0f} tokens/s on {trained.device} \
({trained.precision}); at most {trained.peak_memory_bytes / 1e9:.1f} GB of memory.

{curve}
"""


def masks_card(samples: Sequence[dict[str, Any]]) -> str:
    """Held-out sentences with one token masked, and what the model guessed before and after."""
    if not samples:
        return "No documents were held out, so there is nothing to guess."
    shown = []
    for sample in samples:
        shown += [quote(sample["text"]), "", guesses(sample), ""]
    return "\n".join(shown)


def guesses(sample: dict[str, Any]) -> str:
    """What was masked in a sample, and what the model guessed."""
    answer = sample["answer"]
    before, after = _best(sample["before"], answer), _best(sample["after"], answer)
    return f"It was **{code(answer)}**; guessed before: {before}; after: {after}"


def _best(tokens: Sequence[str], answer: str) -> str:
    return ", ".join(f"**{code(t)}**" if t == answer else code(t) for t in tokens[:3])


def learnt_first(samples: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The samples whose answer ranks higher than before training, the highest first."""
    ranks = [
        (_rank(sample["after"], sample["answer"]), -_rank(sample["before"], sample["answer"]), place)
        for place, sample in enumerate(samples)
    ]
    return [samples[place] for after, before, place in sorted(ranks) if after < -before]


def _rank(guesses: Sequence[str], answer: str) -> int:
    return guesses.index(answer) if answer in guesses else _ABSENT
