"""Packed rows: the windows of a batch in one row compute what they compute one below the other."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from transformers.modeling_utils import PreTrainedModel

from tasks.train_model.batches.batch import Batch, packed_batch, padded_batch
from tasks.train_model.batches.masking import IGNORED
from tasks.train_model.model.attention import attention_name
from tasks.train_model.model.heads import SparseRows, masked_logits, masked_loss, mlm_logits
from tasks.train_model.model.packing import ATTENTION, first_position, prepare_packing
from tasks.train_model.settings import TrainSettings
from tests.tasks.train_model.model.test_heads import make, masked_batch
from tests.tasks.train_model.test_training import interrupt_at, run, same


@pytest.fixture
def on_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """The way of a machine without a GPU, wherever the tests run."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


def plain(family: str) -> PreTrainedModel:
    """A tiny model of a family, without any dropout."""
    model = make(family)
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return model


def loss_of(model: PreTrainedModel, rows: SparseRows, batch: Batch) -> torch.Tensor:
    """The mean loss of a batch, packed or not, as the trainer computes it."""
    batch = batch.to(model.device)
    with rows.at(batch.places):
        logits = mlm_logits(model(**batch.inputs))
    return masked_loss(masked_logits(logits, batch.places), batch.labels, (batch.labels != IGNORED).sum())


@pytest.mark.usefixtures("on_cpu")
@pytest.mark.parametrize("family", ["bert", "roberta", "electra"])
def test_packed_equals_batched(family: str) -> None:
    """Loss and gradients of windows in one row are those of the padded batch, to fp32 rounding."""
    batched, packed = plain(family), plain(family)
    rows = SparseRows(packed)
    assert prepare_packing(packed, rows, "fp32") is None
    one = loss_of(batched, SparseRows(batched), padded_batch(*masked_batch()))
    batch = packed_batch(*masked_batch(), first_position(packed))
    assert batch.inputs["input_ids"].shape == (1, 24 + 20 + 9 + 15)
    other = loss_of(packed, rows, batch)
    torch.testing.assert_close(other, one, rtol=1e-5, atol=1e-6)
    one.backward()
    other.backward()
    gradients = dict(packed.named_parameters())
    for name, parameter in batched.named_parameters():
        if parameter.grad is not None:
            torch.testing.assert_close(gradients[name].grad, parameter.grad, rtol=1e-3, atol=1e-6, msg=name)


@pytest.mark.usefixtures("on_cpu")
@pytest.mark.parametrize("depth", ["last layer", "head"])
def test_no_window_sees_another(depth: Any) -> None:
    """Other tokens in one window leave the logits of its neighbours in the row as they are, to the bit."""
    model = plain("bert").eval()
    rows = SparseRows(model)
    rows.depth = depth
    assert prepare_packing(model, rows, "fp32") is None
    seen, labels, real = masked_batch()
    changed = seen.copy()
    changed[1, :20] = seen[1, 19::-1]
    logits = []
    for ids in (seen, changed):
        batch = packed_batch(ids, labels, real)
        with torch.no_grad(), rows.at(batch.places):
            logits.append(mlm_logits(model(**batch.inputs))[0])
    counts = (labels != IGNORED).sum(axis=1)
    window = np.repeat(np.arange(4), counts)
    same_rows = (logits[0] == logits[1]).all(dim=1).numpy()[: len(window)]
    assert same_rows[window != 1].all()
    assert not same_rows[window == 1].any()


@pytest.mark.usefixtures("on_cpu")
def test_a_batch_without_masks_can_be_packed() -> None:
    """A row of windows of which none is masked, as a filler is, has a loss of 0 and no gradient but 0."""
    model = plain("bert")
    rows = SparseRows(model)
    assert prepare_packing(model, rows, "fp32") is None
    seen, _, real = masked_batch()
    loss = loss_of(model, rows, packed_batch(seen, np.full_like(seen, IGNORED), real))
    loss.backward()
    assert loss.item() == 0
    assert all(p.grad is None or not p.grad.any() for p in model.parameters())


@pytest.mark.usefixtures("on_cpu")
@pytest.mark.parametrize("family", ["bert-eager", "modernbert", "funnel"])
def test_a_model_that_cannot_is_left_as_it_was(family: str) -> None:
    """A model with another attention, or a local one, says why, and goes on with padded batches."""
    model = plain(family)
    before = attention_name(model.config)
    problem = prepare_packing(model, SparseRows(model), "fp32")
    assert problem is not None
    assert type(model).__name__ in problem
    assert attention_name(model.config) == before


@pytest.mark.usefixtures("on_cpu")
def test_a_packed_run_is_the_batched_one(tokenized: Path, tmp_path: Path) -> None:
    """Trained in packed rows, a model ends where padded batches bring it, with no padding, saved as ever."""
    batched, weights = run(tokenized, tmp_path / "batched")
    packed, others = run(tokenized, tmp_path / "packed", packing=True)
    assert packed.padding_share == 0 < batched.padding_share
    assert packed.eval_after is not None
    assert batched.eval_after is not None
    assert packed.eval_after["loss"] == pytest.approx(batched.eval_after["loss"], rel=1e-4)
    for name, weight in weights.items():
        torch.testing.assert_close(others[name], weight, rtol=1e-2, atol=1e-3, msg=name)
    assert ATTENTION not in (tmp_path / "packed" / "out" / "model" / "config.json").read_text()


@pytest.mark.usefixtures("on_cpu")
def test_a_packed_run_resumes_exactly(tokenized: Path, tmp_path: Path) -> None:
    """Stopped and started again, with data workers, a packed run ends at the same bits."""
    _, whole = run(tokenized, tmp_path / "whole", packing=True)
    with pytest.raises(KeyboardInterrupt):
        run(tokenized, tmp_path / "parts", packing=True, on_progress=interrupt_at(10))
    _, parts = run(tokenized, tmp_path / "parts", packing=True, resume=True, dataloader_num_workers=2)
    assert same(whole, parts)


def test_settings_that_do_not_go_with_it_are_refused() -> None:
    """Pairs, attention dropout and compiling each say what is wrong with packing, and the way out."""
    for change in ({"objective": "mlm+nsp"}, {"attention_dropout": 0.1}, {"torch_compile": True}):
        with pytest.raises(ValueError, match="packing"):
            TrainSettings(packing=True, **change)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="flash attention needs a GPU")
def test_the_kernel_of_a_gpu_computes_the_same() -> None:
    """A GPU's kernel gives loss and gradients of window by window, in bf16, with a window without masks."""
    seen, labels, real = masked_batch()
    labels[2] = IGNORED
    losses, gradients = [], []
    for fast in (False, True):
        model = plain("bert").cuda()
        rows = SparseRows(model)
        assert prepare_packing(model, rows, "bf16") is None
        with torch.autocast("cuda", dtype=torch.bfloat16, enabled=fast):
            loss = loss_of(model, rows, packed_batch(seen, labels, real))
        loss.backward()
        losses.append(loss.detach())
        gradients.append({name: p.grad for name, p in model.named_parameters() if p.grad is not None})
    torch.testing.assert_close(losses[1], losses[0], rtol=2e-2, atol=2e-2)
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, rtol=0.1, atol=1e-2, msg=name)
