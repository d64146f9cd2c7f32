"""What a figure came to before and after, and how surely it differs."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tasks.retrieval.figures import Floats
from tasks.retrieval.intervals import intervals


def before_and_after(
    before: Floats | None, after: Floats, documents: Sequence[str], seed: int
) -> dict[str, Any]:
    """`before`, `after`, and the paired `difference` with `low` and `high`, over documents.

    All but `after` are None where there is nothing to compare with.

    Args:
        before: (values,) what the model made of each value before.
        after: (values,) the same of the model as it is now.
        documents: for each value the document that it is of.
    """
    if before is None:
        return {"before": None, "after": float(after.mean()), "difference": None, "low": None, "high": None}
    (told,) = intervals((after - before)[:, None].astype(np.float64), documents, seed=seed)
    return {
        "before": float(before.mean()),
        "after": float(after.mean()),
        "difference": told.mean,
        "low": told.low,
        "high": told.high,
    }
