"""The loss only where it is needed: masked rows are gathered before the MLM head, and before the last layer.

The head is 20 % of BERT-base's arithmetic and more than half of a six-layer, 384-wide model's, but only the
masked 15 % of the rows have a label. A hook on the encoder hands the model's own head those rows alone, so
it works for any model whose head looks at one position at a time. In a BERT-like encoder the last layer
goes further: every row gives keys and values, but only masked rows need queries, output and feed-forward,
which saves 7 tenths of that layer. Whether a model allows either is not read from its name but tried once,
on a small batch.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import Tensor, nn
from transformers.modeling_utils import PreTrainedModel

from tasks.train_model.batches.batch import MaskedPlaces
from tasks.train_model.batches.masking import IGNORED
from tasks.train_model.model.attention import forward_rows, last_layer
from tasks.train_model.model.modes import evaluating
from tasks.train_model.model.trying import FAULTS, trial_texts, warn_of

TOLERANCE = 1e-3
"""Largest difference of a logit from the dense way's that is put down to rounding, in fp32."""

Depth = Literal["last layer", "head", "none"]


class SparseRows:
    """Makes a model compute its head, and if it can its last layer, for masked rows only."""

    def __init__(self, model: PreTrainedModel) -> None:
        self.depth: Depth = "none"
        self._places: MaskedPlaces | None = None
        self._layer: Any = last_layer(model)
        self._pooler: Any = getattr(model.base_model, "pooler", None)
        model.base_model.register_forward_hook(self._gather)
        if self._layer is not None:
            self._dense_forward = self._layer.forward
            self._layer.forward = self._forward_rows
        self.depth = self._deepest(model)

    @contextmanager
    def at(self, places: MaskedPlaces) -> Iterator[None]:
        """Within, the model's logits are (1, masked, vocabulary), where its depth is not `none`."""
        self._places = places
        try:
            yield
        finally:
            self._places = None

    def _gather(self, _module: nn.Module, _inputs: Any, output: Any) -> Any:
        places = self._places
        if places is None or self.depth == "none" or (self.depth == "last layer" and not places.pairs):
            return output
        hidden = output[0]
        if self.depth == "last layer":  # (1, masked + pairs, width)
            gathered = hidden[:, : places.masked]
            # The pooler took the first row of all for the first of a single window.
            output["pooler_output"] = self._pooler(hidden[0, places.masked :, None])
        else:  # (batch, positions, width)
            gathered = hidden.flatten(0, 1).index_select(0, places.rows[: places.masked])[None]
        if isinstance(output, tuple):
            return (gathered, *output[1:])
        output["last_hidden_state"] = gathered
        return output

    def _forward_rows(
        self, hidden: Tensor, attention_mask: Tensor | None = None, *args: Any, **kwargs: Any
    ) -> Any:
        """The last layer: (batch, positions, width) to (1, masked, width)."""
        if self._places is None or self.depth != "last layer":
            return self._dense_forward(hidden, attention_mask, *args, **kwargs)
        return forward_rows(self._layer, hidden, attention_mask, self._places, kwargs)

    def _deepest(self, model: PreTrainedModel) -> Depth:
        """The deepest way whose logits equal the dense ones on a small batch; one that fails is no way."""
        ids, mask = trial_texts(model, 12)
        places = MaskedPlaces(
            rows=torch.tensor([1, 4, 7, 14], device=model.device),
            queries=torch.tensor([[1, 4, 7], [2, 0, 0]], device=model.device),
            query_rows=torch.tensor([0, 1, 2, 3], device=model.device),
        )
        depths: list[Depth] = ["last layer", "head"] if self._layer is not None else ["head"]
        with evaluating(model), torch.no_grad():
            try:
                dense = mlm_logits(model(input_ids=ids, attention_mask=mask)).flatten(0, 1)[places.rows]
            except FAULTS as error:
                depths = []
                warn_of(model, f"computes no two texts of {ids.shape[1]} tokens", error)
            for self.depth in depths:
                try:
                    with self.at(places):
                        sparse = mlm_logits(model(input_ids=ids, attention_mask=mask))
                    if sparse.shape == (1, *dense.shape) and (sparse[0] - dense).abs().max() < TOLERANCE:
                        return self.depth
                except FAULTS as error:
                    warn_of(model, f"allows no sparse {self.depth}", error)
        return "none"


def mlm_logits(output: Any) -> Tensor:
    """The logits of the MLM head, in the output of a model with or without a second one."""
    logits: Tensor = output.prediction_logits if hasattr(output, "prediction_logits") else output.logits
    return logits


def masked_logits(logits: Tensor, places: MaskedPlaces) -> Tensor:
    """(masked, vocabulary) logits, of a sparse model's (1, masked, …) or of a dense one's."""
    flat = logits.flatten(0, 1)
    sparse = logits.shape[0] == 1 and len(flat) == places.masked
    return flat if sparse else flat[places.rows[: places.masked]]


def masked_loss(logits: Tensor, labels: Tensor, masked_in_step: Tensor | int) -> Tensor:
    """Cross-entropy summed over these masked tokens, over the masked tokens of the whole optimizer step.

    So that neither accumulation nor the number of processes changes what is minimised.

    Args:
        logits: (masked, vocabulary).
        labels: (masked,) the tokens that stood there.
        masked_in_step: masked tokens of all micro-batches of all processes of this step.
    """
    total = nn.functional.cross_entropy(logits.float(), labels, reduction="sum")
    return total / torch.as_tensor(masked_in_step, device=total.device).clamp(min=1)


def pair_loss(logits: Tensor, labels: Tensor, pairs_in_step: Tensor | int) -> Tensor:
    """Cross-entropy summed over these pairs, over the pairs of the whole optimizer step.

    Args:
        logits: (pairs, 2).
        labels: (pairs,) `next_sentence_label`, or `IGNORED` for a filler.
        pairs_in_step: pairs of all micro-batches of all processes of this step.
    """
    total = nn.functional.cross_entropy(logits.float(), labels, reduction="sum", ignore_index=IGNORED)
    return total / torch.as_tensor(pairs_in_step, device=total.device).clamp(min=1)
