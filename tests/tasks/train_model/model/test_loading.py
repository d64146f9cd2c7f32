"""Which models load, and what is said of those that do not."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertModel,
    GPT2Config,
    GPT2LMHeadModel,
    RobertaConfig,
    RobertaForMaskedLM,
)

from tasks.errors import UserError
from tasks.models.settings import ScratchSettings
from tasks.train_model.model.loading import load_model, start_from_frequencies
from tests.tasks.train_model.conftest import TINY
from tests.tiny import plant_code, save_tiny_bert

SIZES: dict[str, Any] = {
    "vocab_size": 200,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
}
FIT: dict[str, Any] = {"vocab_size": 125, "pad_token_id": 0, "max_seq_length": 40, "seed": 1}


def test_scratch_weights_follow_the_seed() -> None:
    """A BERT from scratch has the sizes asked for, and the same weights for the same seed only."""
    first, again, other = (load_model(None, scratch=TINY, **FIT | {"seed": seed}) for seed in (1, 1, 2))
    assert first.config.hidden_size == 32
    assert first.config.vocab_size == 125
    weights = [model.get_input_embeddings().weight for model in (first, again, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_a_checkpoint_comes_back_in_fp32(tmp_path: Path) -> None:
    """A checkpoint's weights are loaded as they are, in fp32 even if they were saved in bf16."""
    saved = BertForMaskedLM(BertConfig(**SIZES)).to(torch.bfloat16)
    saved.save_pretrained(tmp_path)
    model = load_model(tmp_path, **FIT)
    assert model.dtype == torch.float32
    assert torch.equal(model.get_input_embeddings().weight, saved.get_input_embeddings().weight.float())


def test_a_checkpoint_without_head_gets_a_fresh_one(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """An encoder alone can be adapted too: its head starts afresh, by the seed, and the log says so."""
    BertModel(BertConfig(**SIZES)).save_pretrained(tmp_path)
    with caplog.at_level(logging.WARNING, "docs_mlm"):
        model = load_model(tmp_path, **FIT)
    assert "starts afresh: cls.predictions" in caplog.text
    again = load_model(tmp_path, **FIT)
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, again.state_dict()[name]), name


def test_a_fresh_head_starts_from_frequencies(tmp_path: Path) -> None:
    """It predicts tokens as often as they occur in the corpus; a checkpoint's own head stays."""
    counts = np.zeros(125, np.int64)
    counts[[7, 9]] = 300, 100
    BertModel(BertConfig(**SIZES)).save_pretrained(tmp_path / "encoder")
    whole = BertForMaskedLM(BertConfig(**SIZES))
    torch.nn.init.normal_(whole.cls.predictions.bias)
    whole.save_pretrained(tmp_path / "whole")
    for location in (None, tmp_path / "encoder"):
        model = load_model(location, scratch=TINY, **FIT)
        assert start_from_frequencies(model, counts)
        chances = model.get_output_embeddings().bias.softmax(0)
        assert chances[7] > 2.9 * chances[9] > 100 * chances[8]
    model = load_model(tmp_path / "whole", **FIT)
    assert not start_from_frequencies(model, counts)
    assert torch.equal(model.get_output_embeddings().bias, whole.cls.predictions.bias)


def test_dropout_is_set_for_training_only(tmp_path: Path) -> None:
    """Rates asked for are in force while training; what is saved keeps the checkpoint's own."""
    BertForMaskedLM(BertConfig(**SIZES, hidden_dropout_prob=0.2)).save_pretrained(tmp_path)
    model = load_model(tmp_path, attention_dropout=0.0, **FIT)
    assert model.bert.encoder.layer[0].attention.self.dropout.p == 0.0
    assert model.bert.encoder.layer[0].output.dropout.p == 0.2
    model.save_pretrained(tmp_path / "again")
    kept = BertConfig.from_pretrained(tmp_path / "again")
    assert (kept.attention_probs_dropout_prob, kept.hidden_dropout_prob) == (0.1, 0.2)


def test_a_model_without_mlm_head_is_refused(tmp_path: Path) -> None:
    """A causal model cannot fill masks: the message says what to choose."""
    GPT2LMHeadModel(GPT2Config(vocab_size=200, n_embd=32, n_layer=1, n_head=2)).save_pretrained(tmp_path)
    with pytest.raises(UserError, match=r"'gpt2', which has no MLM head: choose a masked-language model"):
        load_model(tmp_path, **FIT)


def test_code_of_the_models_own_is_not_run(tmp_path: Path) -> None:
    """Of a checkpoint that brings code of its own only the weights are loaded."""
    folder = plant_code(save_tiny_bert(tmp_path / "own-code"), tmp_path / "ran")
    assert type(load_model(folder, **FIT)) is BertForMaskedLM
    assert not (tmp_path / "ran").exists()


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    """Weights that only a pickle holds are not loaded."""
    model = BertForMaskedLM(BertConfig(**SIZES))
    model.config.save_pretrained(tmp_path)
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(UserError, match=r"no safetensors weights"):
        load_model(tmp_path, **FIT)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vocab_size": 300}, r"tokenizer knows 300 tokens, but .* has embeddings for 200"),
        ({"max_seq_length": 65}, r"max_seq_length is 65, but .* has 64 positions: choose 64 or less"),
    ],
)
def test_a_model_too_small_is_refused(tmp_path: Path, changes: dict[str, int], message: str) -> None:
    """More tokens than embeddings, or longer windows than positions, are refused before any training."""
    BertForMaskedLM(BertConfig(**SIZES)).save_pretrained(tmp_path)
    with pytest.raises(UserError, match=message):
        load_model(tmp_path, **(FIT | changes))


def test_weights_that_are_not_whole_are_refused(tmp_path: Path) -> None:
    """Damaged ones, and those of another size than the configuration tells."""
    BertForMaskedLM(BertConfig(**SIZES)).save_pretrained(tmp_path)
    weights = tmp_path / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="no safetensors weights that load"):
        load_model(tmp_path, **FIT)
    weights.write_bytes(whole)
    BertConfig(**SIZES | {"intermediate_size": 48}).save_pretrained(tmp_path)
    with pytest.raises(UserError, match="do not have the sizes that its"):
        load_model(tmp_path, **FIT)


def test_robertas_positions_are_counted_its_way(tmp_path: Path) -> None:
    """RoBERTa counts positions from its padding id + 1, so two of them cannot be used."""
    RobertaForMaskedLM(RobertaConfig(**SIZES)).save_pretrained(tmp_path)
    load_model(tmp_path, **(FIT | {"max_seq_length": 62}))
    with pytest.raises(UserError, match="has 62 positions"):
        load_model(tmp_path, **(FIT | {"max_seq_length": 63}))


def test_sizes_that_do_not_fit_are_refused_for_scratch_too() -> None:
    """A model from scratch is held to the same bounds."""
    with pytest.raises(UserError, match="has 64 positions"):
        load_model(
            None, scratch=ScratchSettings(max_position_embeddings=64), **(FIT | {"max_seq_length": 80})
        )
