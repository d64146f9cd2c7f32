"""What is known of the inside of transformers' models is what is there."""

from typing import Any

import pytest
import torch
from transformers import AttentionInterface
from transformers.masking_utils import create_bidirectional_mask

from tasks.train_model.batches.batch import MaskedPlaces
from tasks.train_model.model.attention import attention_name, forward_rows, last_layer, use_attention
from tests.tasks.train_model.model.test_heads import make


@pytest.mark.parametrize(
    ("family", "name"),
    [("bert", "sdpa"), ("bert-eager", "eager"), ("modernbert", "sdpa"), ("funnel", "eager")],
)
def test_the_name_of_the_attention_is_told(family: str, name: str) -> None:
    """It is the one that the model was made with, and the one that it is set to."""
    model = make(family)
    assert attention_name(model.config) == name
    model.set_attn_implementation("eager")
    assert attention_name(model.config) == "eager"


def test_another_function_is_used_for_attention() -> None:
    """Every layer of the model calls it, with the masks of torch's own attention; the name is not saved."""
    seen: list[Any] = []

    def attend(module: Any, query: Any, key: Any, value: Any, mask: Any, **options: Any) -> Any:
        seen.append(mask)
        return AttentionInterface()["sdpa"](module, query, key, value, mask, **options)

    stock, model = make("bert").eval(), make("bert").eval()
    ids, real = torch.arange(5, 29).reshape(2, 12), torch.ones(2, 12, dtype=torch.long)
    real[1, 7:] = 0
    use_attention(model, "test_only", attend)
    assert attention_name(model.config) == "test_only"
    logits = model(input_ids=ids, attention_mask=real).logits
    assert torch.equal(logits, stock(input_ids=ids, attention_mask=real).logits)
    assert len(seen) == 2
    assert all(mask[1, 0, 0].tolist() == real[1].bool().tolist() for mask in seen)
    assert "test_only" not in model.config.to_json_string()


@pytest.mark.parametrize("family", ["bert", "bert-eager", "roberta", "electra"])
def test_rows_of_the_last_layer_are_those_of_the_whole_one(family: str) -> None:
    """Asked for some rows, the layer gives what it gives for them among all, whatever is padding."""
    model = make(family).eval()
    layer = last_layer(model)
    assert layer is model.base_model.encoder.layer[-1]
    hidden = torch.randn(2, 12, 32)
    real = torch.ones(2, 12, dtype=torch.long)
    real[1, 7:] = 0
    mask = create_bidirectional_mask(config=model.config, inputs_embeds=hidden, attention_mask=real)
    assert mask is not None
    places = MaskedPlaces(
        rows=torch.tensor([1, 4, 7, 14]),
        queries=torch.tensor([[1, 4, 7], [2, 0, 0]]),
        query_rows=torch.tensor([0, 1, 2, 3]),
    )
    for given in (mask, None):
        whole = layer(hidden, given)
        rows = forward_rows(layer, hidden, given, places, {})
        torch.testing.assert_close(rows[0], whole.flatten(0, 1)[places.rows], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("family", ["distilbert", "modernbert", "funnel"])
def test_a_layer_of_another_build_is_left_alone(family: str) -> None:
    """Where the parts have other names, there is no last layer to go into; nor in a decoder."""
    assert last_layer(make(family)) is None
    decoder = make("bert")
    decoder.config.is_decoder = True
    assert last_layer(decoder) is None
