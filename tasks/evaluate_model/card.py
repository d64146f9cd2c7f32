"""What the probes came to, as the run's artifact."""

from typing import TYPE_CHECKING

from tasks.records import EvaluatedModel
from tasks.retrieval.told import advice, probes_table, retrieval_table, samples_listed

if TYPE_CHECKING:
    from tasks.stage.target import Target


def evaluation_card(target: "Target", record: EvaluatedModel) -> str:
    """What the models are good for, before and after."""
    parts = [advice(record), retrieval_table(record), samples_listed(record), probes_table(record)]
    return "\n\n".join(part for part in parts if part) + "\n"
