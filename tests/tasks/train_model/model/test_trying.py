"""A family of models whose code fails in the trial is trained in its own way, or refused in one line."""

import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForMaskedLM, BertConfig, BertForMaskedLM

from tasks.errors import UserError
from tasks.train_model.job import TrainJob
from tasks.train_model.model.heads import SparseRows
from tasks.train_model.model.trying import check_lengths
from tasks.train_model.settings import TrainSettings
from tasks.train_model.training import train

SIZES: dict[str, Any] = {
    "vocab_size": 200,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 80,
    "pad_token_id": 0,
}
FAMILIES: dict[str, dict[str, Any]] = {
    "albert": {"embedding_size": 16},
    "deberta-v2": {"pooler_hidden_size": 32},
    "mobilebert": {"embedding_size": 16, "intra_bottleneck_size": 16, "true_hidden_size": 16},
    "nystromformer": {},
    "perceiver": {
        "d_model": 32,
        "d_latents": 32,
        "num_latents": 8,
        "num_self_attends_per_block": 1,
        "num_self_attention_heads": 2,
        "num_cross_attention_heads": 2,
    },
    "reformer": {
        "attention_head_size": 16,
        "attn_layers": ["local", "lsh"],
        "axial_pos_shape": [8, 10],
        "axial_pos_embds_dim": [16, 16],
        "feed_forward_size": 64,
        "is_decoder": False,
        "num_buckets": 4,
    },
    "xmod": {"languages": ["en_XX"], "default_language": "en_XX"},
}
"""What each needs besides."""


def make(family: str, **changes: Any) -> Any:
    """A tiny model of a family."""
    torch.manual_seed(0)
    config = AutoConfig.for_model(family, **SIZES | FAMILIES[family] | changes)
    return AutoModelForMaskedLM.from_config(config)


def train_two_steps(model: Any, data: Path, folder: Path) -> Any:
    """The report of two steps from the saved model."""
    for name in ("base", "out", "checkpoints"):
        (folder / name).mkdir()
    model.save_pretrained(folder / "base")
    settings = TrainSettings(max_steps=2, precision="fp32", processes=1)
    return train(
        TrainJob(
            data=data,
            output=folder / "out",
            checkpoints=folder / "checkpoints",
            settings=settings,
            location=str(folder / "base"),
        )
    )


@pytest.mark.parametrize(
    ("family", "depth", "said"),
    [
        ("albert", "head", ""),
        ("deberta-v2", "head", ""),
        ("mobilebert", "head", "MobileBertForMaskedLM allows no sparse last layer (RuntimeError: mat1"),
        ("nystromformer", "head", ""),
        ("perceiver", "none", "PerceiverForMaskedLM allows no sparse head: its head computes every row"),
        ("xmod", "head", "XmodForMaskedLM allows no sparse last layer (IndexError: too many"),
    ],
)
def test_a_family_trains_as_deep_as_it_can(
    family: str, depth: str, said: str, tokenized: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Two steps lower the held-out loss, and the log says once what the family does not allow."""
    model = make(family)
    with caplog.at_level(logging.WARNING, "docs_mlm"):
        report = train_two_steps(model, tokenized, tmp_path)
    assert report.global_step == 2
    assert report.eval_after["loss"] < report.eval_before["loss"]
    warnings = [line for line in caplog.messages if "sparse" in line]
    assert len(warnings) == bool(said)
    assert all(said in line for line in warnings)
    assert SparseRows(model).depth == depth


@pytest.mark.parametrize(
    ("family", "changes", "why"),
    [
        ("nystromformer", {"num_landmarks": 4, "segment_means_seq_len": 80}, "RuntimeError: shape"),
        ("reformer", {}, "ValueError: If training, "),
    ],
)
def test_a_family_of_fixed_lengths_is_refused(
    family: str, changes: dict[str, Any], why: str, tokenized: Path, tmp_path: Path
) -> None:
    """A model that computes texts of some lengths only is refused before training, with its own reason."""
    with pytest.raises(UserError, match=rf"does not compute windows of \d+ tokens \({why}.*such as a BERT$"):
        train_two_steps(make(family, **changes), tokenized, tmp_path)


def test_a_model_that_computes_nothing_has_no_sparse_head(caplog: pytest.LogCaptureFixture) -> None:
    """Where already the dense way fails in the trial, that is said once, and no way is taken for good."""
    model = make("nystromformer", num_landmarks=4, segment_means_seq_len=80)
    with caplog.at_level(logging.WARNING, "docs_mlm"):
        assert SparseRows(model).depth == "none"
    (line,) = caplog.messages
    assert line.startswith("NystromformerForMaskedLM computes no two texts of 12 tokens (RuntimeError: ")


def test_the_trial_changes_nothing() -> None:
    """Weights, buffers, mode and the random numbers to come are what they were."""
    model = BertForMaskedLM(BertConfig(**SIZES)).eval()
    model.register_buffer("seen", torch.zeros(1))
    model.bert.register_forward_pre_hook(lambda *_: model.seen.add_(1) and None)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    check_lengths(model, "tiny", [5, 40])
    assert torch.equal(torch.rand(3), expected)
    assert not model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
