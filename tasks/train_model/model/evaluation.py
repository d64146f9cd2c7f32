"""How well a model predicts held-out tokens: the same windows and masks every time, prose and code apart.

The masks follow from the windows alone (`EVAL_SEED`, 15 %), whatever the training's seed and rate, and the
arithmetic is fp32 throughout, so that figures of any two models of one tokenizer and corpus can be
compared.
"""

import math
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers.modeling_utils import PreTrainedModel

from tasks.train_model.batches.batch import MaskedPlaces, batch_tensors, pair_tensors
from tasks.train_model.batches.masking import IGNORED, Masker
from tasks.train_model.batches.pairs import Pairs
from tasks.train_model.batches.windows import Windows
from tasks.train_model.model.heads import SparseRows, masked_logits, mlm_logits

EVAL_SEED = 0
EVAL_RATE = 0.15
EVAL_SHORT_SHARE = 0.1
EVAL_BATCH = 32


def evaluate(
    model: PreTrainedModel,
    rows: SparseRows,
    windows: Windows,
    masker: Masker,
    pad_token_id: int,
    *,
    pairs: Pairs | None = None,
) -> dict[str, float]:
    """`loss` (nats), `perplexity`, `accuracy` and `masked_tokens`, each also as `prose_…` and `code_…`.

    All are means over masked tokens, not over batches. A kind without masked tokens is left out. Whatever
    the run's objective and masking, these windows have one segment and single masked tokens.

    Args:
        masker: of which the special tokens are used; the seed is `EVAL_SEED`.
        pairs: held-out pairs, for the figures of `evaluate_pairs` too.
    """
    masker = eval_masker(masker)
    order = np.argsort(windows.lengths, kind="stable")
    losses, hits, code = [], [], []
    training = model.training
    model.eval()
    with torch.inference_mode():
        for start in range(0, len(order), EVAL_BATCH):
            places = order[start : start + EVAL_BATCH]
            ids, real = windows.padded(places, pad_token_id)
            seen, labels = masker(ids, real, places, epoch=0, rate=EVAL_RATE)
            logits, targets = predict(model, rows, batch_tensors(seen, labels, real))
            losses.append(nn.functional.cross_entropy(logits, targets, reduction="none").double().cpu())
            hits.append((logits.argmax(-1) == targets).cpu())
            code.append(torch.from_numpy(windows.code_flags(places)[labels != IGNORED]))
    model.train(training)
    loss, hit, is_code = torch.cat(losses), torch.cat(hits).double(), torch.cat(code)
    every = torch.ones_like(is_code)
    kinds = {"": every, "prose_": ~is_code, "code_": is_code}
    second = {} if pairs is None else evaluate_pairs(model, rows, pairs, pad_token_id)
    return second | {
        name: value
        for prefix, chosen in kinds.items()
        if chosen.any()
        for name, value in _figures(prefix, loss[chosen], hit[chosen]).items()
    }


def evaluate_pairs(
    model: PreTrainedModel, rows: SparseRows, pairs: Pairs, pad_token_id: int
) -> dict[str, float]:
    """`nsp_loss`, `nsp_accuracy` and `nsp_pairs` (or `sop_…`) on the pairs of epoch 0, without any mask."""
    order = np.argsort(pairs.table(0).lengths, kind="stable")
    losses, hits = [], []
    training = model.training
    model.eval()
    with torch.inference_mode():
        for start in range(0, len(order), EVAL_BATCH):
            found = pairs.rows(order[start : start + EVAL_BATCH], 0, pad_token_id)
            tensors = pair_tensors(found.ids, np.full_like(found.ids, IGNORED), found, len(found.ids))
            inputs = to_device(tensors, model.device)
            places = take_places(inputs)
            labels = inputs.pop("next_sentence_label")
            del inputs["labels"], inputs["pairs_in_step"]
            with rows.at(places):
                logits = model(**inputs).seq_relationship_logits.float()
            losses.append(nn.functional.cross_entropy(logits, labels, reduction="none").double().cpu())
            hits.append((logits.argmax(-1) == labels).double().cpu())
    model.train(training)
    figures = {"loss": float(torch.cat(losses).mean()), "accuracy": float(torch.cat(hits).mean())}
    return {f"{pairs.kind}_{name}": value for name, value in (figures | {"pairs": len(order)}).items()}


def eval_masker(masker: Masker) -> Masker:
    """The masks of evaluation: BERT's shares, and a seed that no run chooses."""
    return Masker(
        seed=EVAL_SEED,
        mask_token_id=masker.mask_token_id,
        special_ids=masker.special_ids,
        vocab_size=masker.vocab_size,
    )


def predict(
    model: PreTrainedModel, rows: SparseRows, tensors: dict[str, Any]
) -> tuple[torch.Tensor, torch.Tensor]:
    """The fp32 logits (masked, vocabulary) of a batch of `batch_tensors`, and its labels (masked,)."""
    inputs = to_device(tensors, model.device)
    labels = inputs.pop("labels")
    masked = int((labels != IGNORED).sum())
    places = take_places(inputs)
    with rows.at(places):
        logits = mlm_logits(model(**inputs))
    return masked_logits(logits, places)[:masked].float(), labels[:masked]


def to_device(tensors: dict[str, Any], device: torch.device) -> dict[str, Any]:
    """A batch on the model's device; plain numbers stay."""
    return {
        name: tensor.to(device) if isinstance(tensor, torch.Tensor) else tensor
        for name, tensor in tensors.items()
    }


def take_places(inputs: dict[str, Any]) -> MaskedPlaces:
    """Move what tells where the masked tokens are out of a batch's tensors: the model does not take it."""
    queries = inputs.pop("queries")
    pairs = len(queries) if "next_sentence_label" in inputs else 0
    return MaskedPlaces(
        rows=inputs.pop("rows"),
        queries=queries,
        query_rows=inputs.pop("query_rows"),
        pairs=pairs,
        query_ends=inputs.pop("query_ends", None),
        most_queries=inputs.pop("most_queries", 0),
    )


def _figures(prefix: str, loss: torch.Tensor, hits: torch.Tensor) -> dict[str, float]:
    mean = float(loss.mean())
    return {
        f"{prefix}loss": mean,
        f"{prefix}perplexity": math.exp(min(mean, 700.0)),
        f"{prefix}accuracy": float(hits.mean()),
        f"{prefix}masked_tokens": float(len(loss)),
    }
