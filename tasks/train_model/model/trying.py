"""A model is tried on two short texts before it is trained: what falls over then is told, not thrown."""

import torch
from torch import Tensor
from torch.func import functional_call
from transformers.modeling_utils import PreTrainedModel

from tasks.errors import UserError, first_line
from tasks.stage.log import stage_logger

FAULTS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What a model's own code raises where it is computed in a way that it was not written for."""


def warn_of(model: PreTrainedModel, what: str, error: BaseException) -> None:
    """Say in the log what a model failed at, which is then done in its own way."""
    stage_logger().warning("%s %s (%s)", type(model).__name__, what, fault(error))


def fault(error: BaseException) -> str:
    """An error of a model's own code, in one line."""
    return f"{type(error).__name__}: {first_line(error)}"


def trial_texts(model: PreTrainedModel, length: int) -> tuple[Tensor, Tensor]:
    """Tokens of two texts, and which of them are real; the second text is padded.

    Args:
        length: tokens of the longer text.

    Returns:
        Two of (2, length).
    """
    ids = torch.arange(2 * length, device=model.device).reshape(2, length)
    mask = torch.ones_like(ids)
    mask[1, length - length // 4 :] = 0
    return ids % model.config.get_text_config().vocab_size, mask


def check_lengths(model: PreTrainedModel, name: str, lengths: list[int]) -> None:
    """See that a model computes texts of so many tokens in training: some families do of a few lengths only.

    Neither its weights nor the random numbers to come are touched.

    Raises:
        UserError: it does not.
    """
    training = model.training
    model.train()
    try:
        for length in sorted(set(lengths)):
            with torch.random.fork_rng(devices=[]), torch.no_grad():
                ids, mask = trial_texts(model, length)
                # Buffers, such as the ranges that some models measure, are handed in as copies.
                buffers = {key: buffer.clone() for key, buffer in model.named_buffers()}
                functional_call(model, buffers, kwargs={"input_ids": ids, "attention_mask": mask})
    except FAULTS as error:
        raise UserError(
            f"{name}, a {type(model).__name__}, does not compute windows of {length} tokens "
            f"({fault(error)}): choose a model that takes windows of any length, such as a BERT"
        ) from error
    finally:
        model.train(training)
