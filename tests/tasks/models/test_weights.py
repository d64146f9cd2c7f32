"""Weights that nothing can be learnt from are refused by the name of their checkpoint."""

import math

import pytest
import torch
from transformers import AutoModelForMaskedLM, BertForMaskedLM

from tasks.errors import UserError
from tasks.models.weights import load_weights
from tests.tiny import save_tiny_bert

TENSOR = "bert.encoder.layer.1.output.dense.weight"


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_weight_that_is_no_number_is_named(tmp_path, bad):
    """One such number in one tensor names the checkpoint, the tensor and the way out, in one line."""
    folder = save_tiny_bert(tmp_path / "spoilt")
    model = BertForMaskedLM.from_pretrained(folder)
    with torch.no_grad():
        model.get_parameter(TENSOR)[3, 5] = bad
    model.save_pretrained(folder)
    with pytest.raises(UserError, match=r"save the model again in fp32$") as caught:
        load_weights(AutoModelForMaskedLM, folder)
    assert str(caught.value).startswith(f"{TENSOR} in the weights of {folder} has 1 of 2048 numbers that")
    assert "\n" not in str(caught.value)


def test_what_a_checkpoint_lacks_is_told(tmp_path):
    """A whole checkpoint loads, and lacks nothing; an encoder alone lacks its head."""
    assert load_weights(AutoModelForMaskedLM, save_tiny_bert(tmp_path / "whole"))[1] == []
    _, missing = load_weights(AutoModelForMaskedLM, save_tiny_bert(tmp_path / "encoder", head=False))
    assert all(name.startswith("cls.predictions.") for name in missing)
    assert missing
