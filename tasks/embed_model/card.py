"""How the training of a retrieval model went, for the Prefect UI."""

from typing import TYPE_CHECKING

from tasks.cards import code, text
from tasks.records import EmbeddedModel
from tasks.training.curve import loss_curve

if TYPE_CHECKING:
    from tasks.stage.target import Target


def embedding_card(target: "Target", record: EmbeddedModel) -> str:
    """Pairs, steps, speed and the loss curve, or why there is no retrieval model."""
    if record.skipped is not None:
        return f"No retrieval model was trained: {text(record.skipped)}."
    resumed = f", resumed at step {record.resumed_from_step:,}" if record.resumed_from_step else ""
    return (
        f"From {code(record.base)}: {record.pairs:,} pairs, {record.global_step:,} steps{resumed}, "
        f"{record.pairs_per_second:,.1f} pairs/s on {text(record.device)} ({record.precision}); "
        f"loss {record.loss:.3f} at the end, at most {record.peak_memory_bytes / 1e9:.1f} GB of memory.\n\n"
        f"{loss_curve(record.history, unit='loss of ranking')}\n"
    )
