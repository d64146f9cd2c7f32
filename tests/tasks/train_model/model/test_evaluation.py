"""Held-out figures: token-weighted, on fixed masks, prose and code apart."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tasks.train_model.batches.masking import IGNORED, Masker
from tasks.train_model.batches.windows import Windows
from tasks.train_model.model import evaluation
from tasks.train_model.model.evaluation import EVAL_RATE, eval_masker, evaluate
from tasks.train_model.model.heads import SparseRows
from tasks.train_model.model.loading import load_model
from tasks.train_model.reading import read_windows
from tests.tasks.train_model.conftest import TINY


@pytest.fixture
def held_out(tokenized: Path) -> Windows:
    """The held-out windows."""
    return read_windows(tokenized)["eval"]


def masker(seed: int = 5) -> Masker:
    """A run's masker, whose seed and shares evaluation must not use."""
    return Masker(
        seed=seed,
        mask_token_id=4,
        special_ids=(0, 1, 2, 3, 4),
        vocab_size=125,
        mask_share=1.0,
        random_share=0.0,
    )


def tiny() -> nn.Module:
    """A tiny BERT."""
    return load_model(None, scratch=TINY, vocab_size=125, pad_token_id=0, max_seq_length=40, seed=3)


def test_figures_are_those_of_windows_one_by_one(held_out: Windows) -> None:
    """Batched by length with a sparse head, the figures equal those of single windows with a dense one."""
    model = tiny()
    found = evaluate(model, SparseRows(model), held_out, masker(), 0)
    dense, losses, hits, code, by_document = tiny().eval(), [], [], [], {}
    for window in range(len(held_out)):
        ids, real = held_out.padded(np.array([window]), 0)
        seen, labels = eval_masker(masker())(ids, real, np.array([window]), 0, EVAL_RATE)
        chosen = labels[0] != IGNORED
        with torch.no_grad():
            logits = dense(input_ids=torch.from_numpy(seen)).logits[0][torch.from_numpy(chosen)]
        targets = torch.from_numpy(labels[0][chosen])
        losses.append(nn.functional.cross_entropy(logits, targets, reduction="none"))
        by_document.setdefault(int(held_out.document[window]), []).extend(losses[-1].tolist())
        hits.append(logits.argmax(-1) == targets)
        code.append(torch.from_numpy(held_out.code_flags(np.array([window]))[0][chosen]))
    loss, hit, is_code = torch.cat(losses), torch.cat(hits).float(), torch.cat(code)
    assert found["loss"] == pytest.approx(loss.mean().item(), rel=1e-5)
    assert found["loss_error"] == pytest.approx(jackknife(list(by_document.values())), rel=0.02)
    assert found["perplexity"] == pytest.approx(math.exp(found["loss"]))
    assert found["accuracy"] == pytest.approx(hit.mean().item())
    assert found["masked_tokens"] == len(loss)
    assert found["code_loss"] == pytest.approx(loss[is_code].mean().item(), rel=1e-5)
    assert found["prose_loss"] == pytest.approx(loss[~is_code].mean().item(), rel=1e-5)
    assert found["prose_masked_tokens"] + found["code_masked_tokens"] == found["masked_tokens"]


def jackknife(documents: list[list[float]]) -> float:
    """The standard error of the mean of all values, by leaving each document out in turn."""
    without = [
        np.mean(np.concatenate(documents[:place] + documents[place + 1 :])) for place in range(len(documents))
    ]
    count = len(documents)
    return math.sqrt((count - 1) / count * sum((one - np.mean(without)) ** 2 for one in without))


@pytest.mark.parametrize("alike", [False, True])
def test_the_error_is_that_of_documents_drawn_anew(alike: bool) -> None:
    """It tells how means of such samples differ, also where a document's tokens are alike."""
    draw = np.random.default_rng(3)
    means, errors = [], []
    for _ in range(300):
        sizes = draw.integers(5, 40, size=60)
        document = np.repeat(np.arange(60), sizes)
        losses = draw.normal(3, 1, size=60)[document] if alike else draw.normal(3, 1, size=len(document))
        means.append(losses.mean())
        errors.append(evaluation.standard_error(losses, document))
    assert np.mean(errors) == pytest.approx(np.std(means), rel=0.15)
    assert evaluation.standard_error(losses, np.zeros_like(document)) is None


def test_masks_do_not_depend_on_the_run(held_out: Windows, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another seed, mask share or evaluation batch gives the same figures, and the mode stays as it was."""
    model = tiny()
    rows = SparseRows(model)
    model.eval()
    one = evaluate(model, rows, held_out, masker(seed=5), 0)
    monkeypatch.setattr(evaluation, "EVAL_BATCH", 3)
    other = evaluate(model, rows, held_out, masker(seed=6), 0)
    assert not model.training
    assert other == pytest.approx(one, rel=1e-5)
    model.train()
    assert evaluate(model, rows, held_out, masker(), 0) == pytest.approx(one, rel=1e-5)
    assert model.training
