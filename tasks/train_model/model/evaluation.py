"""How well a model predicts held-out tokens: the same windows and masks every time, prose and code apart.

The masks follow from the windows alone (`EVAL_SEED`, 15 %), whatever the training's seed and rate, and the
arithmetic is fp32 throughout, so that figures of any two models of one tokenizer and corpus can be
compared.
"""

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from transformers.modeling_utils import PreTrainedModel

from tasks.train_model.batches.batch import Batch, padded_batch, pair_batch
from tasks.train_model.batches.masking import IGNORED, Masker
from tasks.train_model.batches.pairs import Pairs
from tasks.train_model.batches.windows import Windows
from tasks.train_model.model.heads import SparseRows, masked_logits, mlm_logits
from tasks.train_model.model.modes import evaluating

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
    the run's objective and masking, these windows have one segment and single masked tokens. `loss_error` is
    the loss's standard error over documents, where there are several.

    Args:
        masker: of which the special tokens are used; the seed is `EVAL_SEED`.
        pairs: held-out pairs, for the figures of `evaluate_pairs` too.
    """
    losses, hits, code, documents = [], [], [], []
    with evaluating(model), torch.inference_mode():
        for batch, is_code, document in eval_batches(windows, eval_masker(masker), pad_token_id):
            logits, targets = predict(model, rows, batch)
            losses.append(nn.functional.cross_entropy(logits, targets, reduction="none").double().cpu())
            hits.append((logits.argmax(-1) == targets).double().cpu())
            code.append(is_code)
            documents.append(document)
    loss = torch.cat(losses)
    error = standard_error(loss.numpy(), np.concatenate(documents))
    second = {} if pairs is None else evaluate_pairs(model, rows, pairs, pad_token_id)
    told = {} if error is None else {"loss_error": error}
    return second | _by_kind(loss, torch.cat(hits), torch.cat(code)) | told


def standard_error(losses: npt.NDArray[np.float64], documents: npt.NDArray[np.int32]) -> float | None:
    """The standard error of the mean of `losses`, or None for a single document's.

    Tokens of one document are alike, so that documents are what is drawn: that of a ratio of totals.

    Args:
        losses: (masked,) the loss of each masked token.
        documents: (masked,) the document that each is of.
    """
    _, which = np.unique(documents, return_inverse=True)
    away = np.bincount(which, weights=losses - losses.mean())
    if len(away) < 2:
        return None
    return float(np.sqrt(len(away) / (len(away) - 1) * (away**2).sum()) / len(losses))


def eval_batches(
    windows: Windows, masker: Masker, pad_token_id: int
) -> Iterator[tuple[Batch, Tensor, npt.NDArray[np.int32]]]:
    """All windows in batches by length, and which of the masked tokens are code, and of which documents.

    Both are (masked,).
    """
    order = np.argsort(windows.lengths, kind="stable")
    for start in range(0, len(order), EVAL_BATCH):
        chosen = order[start : start + EVAL_BATCH]
        ids, real = windows.padded(chosen, pad_token_id)
        seen, labels = masker(ids, real, chosen, epoch=0, rate=EVAL_RATE)
        masked = labels != IGNORED
        documents = np.repeat(windows.document[chosen], masked.sum(1))
        yield (
            padded_batch(seen, labels, real),
            torch.from_numpy(windows.code_flags(chosen)[masked]),
            documents,
        )


def evaluate_pairs(
    model: PreTrainedModel, rows: SparseRows, pairs: Pairs, pad_token_id: int
) -> dict[str, float]:
    """`nsp_loss`, `nsp_accuracy` and `nsp_pairs` (or `sop_…`) on the pairs of epoch 0, without any mask."""
    order = np.argsort(pairs.table(0).lengths, kind="stable")
    losses, hits = [], []
    with evaluating(model), torch.inference_mode():
        for start in range(0, len(order), EVAL_BATCH):
            found = pairs.rows(order[start : start + EVAL_BATCH], 0, pad_token_id)
            unmasked = np.full_like(found.ids, IGNORED)
            batch = pair_batch(found.ids, unmasked, found, len(found.ids)).to(model.device)
            with rows.at(batch.places):
                logits = model(**batch.inputs).seq_relationship_logits.float()
            labels = torch.from_numpy(found.labels).to(model.device)
            losses.append(nn.functional.cross_entropy(logits, labels, reduction="none").double().cpu())
            hits.append((logits.argmax(-1) == labels).double().cpu())
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


def predict(model: PreTrainedModel, rows: SparseRows, batch: Batch) -> tuple[Tensor, Tensor]:
    """The fp32 logits (masked, vocabulary) of a batch, and its labels (masked,), without the fillers."""
    masked = int((batch.labels != IGNORED).sum())
    batch = batch.to(model.device)
    with rows.at(batch.places):
        logits = mlm_logits(model(**batch.inputs))
    return masked_logits(logits, batch.places)[:masked].float(), batch.labels[:masked]


def _by_kind(loss: Tensor, hits: Tensor, is_code: Tensor) -> dict[str, float]:
    """The figures of all masked tokens, and of those of prose and code, each kind's name before them."""
    kinds = {"": torch.ones_like(is_code), "prose_": ~is_code, "code_": is_code}
    return {
        name: value
        for prefix, chosen in kinds.items()
        if chosen.any()
        for name, value in _figures(prefix, loss[chosen], hits[chosen]).items()
    }


def _figures(prefix: str, loss: Tensor, hits: Tensor) -> dict[str, float]:
    mean = float(loss.mean())
    return {
        f"{prefix}loss": mean,
        f"{prefix}perplexity": math.exp(min(mean, 700.0)),
        f"{prefix}accuracy": float(hits.mean()),
        f"{prefix}masked_tokens": float(len(loss)),
    }
