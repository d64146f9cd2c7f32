"""The sparse way computes what the dense one does, for every family of models."""

import numpy as np
import pytest
import torch
from torch import nn
from transformers import (
    BertConfig,
    BertForMaskedLM,
    DistilBertConfig,
    DistilBertForMaskedLM,
    ElectraConfig,
    ElectraForMaskedLM,
    FunnelConfig,
    FunnelForMaskedLM,
    ModernBertConfig,
    ModernBertForMaskedLM,
    RobertaConfig,
    RobertaForMaskedLM,
)
from transformers.modeling_utils import PreTrainedModel

from tasks.train_model.batches.batch import padded_batch
from tasks.train_model.batches.masking import IGNORED, Masker
from tasks.train_model.model.heads import SparseRows, masked_logits, masked_loss

SIZES = {
    "vocab_size": 200,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 80,
}
PLAIN = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}


def make(family: str) -> PreTrainedModel:
    """A tiny model without dropout."""
    torch.manual_seed(0)
    match family:
        case "bert":
            return BertForMaskedLM(BertConfig(**SIZES, **PLAIN))
        case "bert-eager":
            return BertForMaskedLM(BertConfig(**SIZES, **PLAIN, attn_implementation="eager"))
        case "roberta":
            return RobertaForMaskedLM(RobertaConfig(**SIZES, **PLAIN))
        case "electra":
            return ElectraForMaskedLM(ElectraConfig(**SIZES, **PLAIN, embedding_size=32))
        case "distilbert":
            sizes = {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64}
            positions = {"vocab_size": 200, "max_position_embeddings": 80}
            return DistilBertForMaskedLM(
                DistilBertConfig(**sizes, **positions, dropout=0.0, attention_dropout=0.0)
            )
        case "modernbert":
            tokens = {
                "pad_token_id": 0,
                "cls_token_id": 2,
                "sep_token_id": 3,
                "bos_token_id": 2,
                "eos_token_id": 3,
            }
            return ModernBertForMaskedLM(ModernBertConfig(**SIZES, **tokens))
        case _:
            return FunnelForMaskedLM(
                FunnelConfig(vocab_size=200, block_sizes=[1, 1], d_model=32, n_head=2, d_head=16, d_inner=64)
            )


def masked_batch() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Four windows of different lengths: what is seen, the labels, and what is real."""
    generator = np.random.default_rng(0)
    ids = generator.integers(5, 200, (4, 24))
    real = np.arange(24)[None] < np.array([24, 20, 9, 15])[:, None]
    ids = np.where(real, ids, 0)
    masker = Masker(seed=1, mask_token_id=4, special_ids=(0, 1, 2, 3, 4), vocab_size=200)
    return *masker(ids, real, np.arange(4), epoch=0, rate=0.2), real


def dense_loss(model: PreTrainedModel) -> torch.Tensor:
    """The mean loss of the batch by the textbook: logits everywhere, labels -100 where there is none."""
    seen, labels, real = (torch.from_numpy(array) for array in masked_batch())
    logits = model(input_ids=seen, attention_mask=real.long()).logits
    return nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED)


def sparse_loss(model: PreTrainedModel, rows: SparseRows) -> torch.Tensor:
    """The same by the engine's way."""
    batch = padded_batch(*masked_batch())
    with rows.at(batch.places):
        logits = model(**batch.inputs).logits
    if rows.depth != "none":
        assert logits.shape == (1, len(batch.labels), 200)
    return masked_loss(masked_logits(logits, batch.places), batch.labels, (batch.labels != IGNORED).sum())


@pytest.mark.parametrize(
    ("family", "depth"),
    [
        ("bert", "last layer"),
        ("bert-eager", "last layer"),
        ("roberta", "last layer"),
        ("electra", "last layer"),
        ("distilbert", "head"),
        ("modernbert", "head"),
        ("funnel", "head"),
    ],
)
def test_sparse_equals_dense(family: str, depth: str) -> None:
    """Loss and gradients are those of the dense way, to fp32 rounding; each family goes as deep as it can."""
    dense, sparse = make(family), make(family)
    for model in (dense, sparse):
        for module in model.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
    rows = SparseRows(sparse)
    assert rows.depth == depth
    one, other = dense_loss(dense), sparse_loss(sparse, rows)
    torch.testing.assert_close(other, one, rtol=1e-5, atol=1e-6)
    one.backward()
    other.backward()
    gradients = dict(sparse.named_parameters())
    for name, parameter in dense.named_parameters():
        found = gradients[name].grad
        if parameter.grad is None:
            assert found is None or not found.abs().max() > 0, name
        else:
            torch.testing.assert_close(found, parameter.grad, rtol=1e-3, atol=1e-6, msg=name)


def test_a_model_that_mixes_positions_stays_dense() -> None:
    """A head that looks at other positions too would be wrong on gathered rows: the trial sees it."""

    class Mixing(BertForMaskedLM):
        def forward(self, *args: object, **kwargs: object) -> object:
            output = super().forward(*args, **kwargs)
            output["logits"] = output.logits + output.logits.mean(dim=1, keepdim=True)
            return output

    torch.manual_seed(0)
    model = Mixing(BertConfig(**SIZES, **PLAIN))
    rows = SparseRows(model)
    assert rows.depth == "none"
    torch.testing.assert_close(sparse_loss(model, rows), dense_loss(model))


def test_without_places_the_model_is_the_stock_one() -> None:
    """Outside `at`, logits are full and unchanged, so the model can be used and saved as ever."""
    stock, changed = make("bert").eval(), make("bert").eval()
    SparseRows(changed)
    ids = torch.arange(5, 29)[None]
    assert torch.equal(stock(input_ids=ids).logits, changed(input_ids=ids).logits)


def test_a_batch_without_masks_has_zero_loss_and_gradients() -> None:
    """A filler batch gives a loss of 0 that can be propagated, and no NaN."""
    model = make("bert")
    rows = SparseRows(model)
    seen = np.arange(5, 17)[None]
    batch = padded_batch(seen, np.full_like(seen, IGNORED), np.ones_like(seen, bool))
    with rows.at(batch.places):
        loss = masked_loss(masked_logits(model(**batch.inputs).logits, batch.places), batch.labels, 0)
    loss.backward()
    assert loss.item() == 0
    assert all(p.grad is None or not p.grad.any() for p in model.parameters())


def test_loss_is_a_share_of_the_step() -> None:
    """Losses of the parts of a step, each over the step's masked tokens, add up to the loss of the whole."""
    logits, labels = torch.randn(10, 50), torch.randint(50, (10,))
    whole = masked_loss(logits, labels, 10)
    parts = masked_loss(logits[:3], labels[:3], 10) + masked_loss(logits[3:], labels[3:], torch.tensor(10))
    torch.testing.assert_close(whole, parts)
