"""A model is measured without dropout, and left as it was found."""

from collections.abc import Iterator
from contextlib import contextmanager

from transformers.modeling_utils import PreTrainedModel


@contextmanager
def evaluating(model: PreTrainedModel) -> Iterator[None]:
    """Within, the model is in evaluation mode."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)
