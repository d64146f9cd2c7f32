"""How many tokens a model takes is what it takes, tried on the models themselves."""

import importlib.util
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import MODEL_FOR_MASKED_LM_MAPPING, AutoConfig, AutoModelForMaskedLM

from tasks.errors import UserError
from tasks.models.limits import AFTER_PADDING, first_position, usable_positions

SIZES: dict[str, Any] = {
    "vocab_size": 99,
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 24,
    "pad_token_id": 3,
}
OWN: dict[str, dict[str, Any]] = {
    "esm": {"mask_token_id": 4},
    "xmod": {"languages": ["en_XX"], "default_language": "en_XX"},
    "longformer": {"attention_window": 4},
    "luke": {"entity_vocab_size": 10, "entity_emb_size": 8},
}
"""What some families need besides."""


@pytest.mark.parametrize(
    "kind", [*sorted(AFTER_PADDING), "mpnet", "bert", "distilbert", "electra", "deberta-v2"]
)
def test_a_model_takes_so_many_tokens_and_no_more(kind: str) -> None:
    """A text as long as said goes through a tiny model of the family, and one token more does not."""
    config = AutoConfig.for_model(kind, **SIZES, **OWN.get(kind, {}))
    model = AutoModelForMaskedLM.from_config(config).eval()
    most = usable_positions(config.to_dict())
    with torch.inference_mode():
        model(input_ids=torch.full((1, most), 7))
        with pytest.raises((IndexError, RuntimeError)):
            model(input_ids=torch.full((1, most + 1), 7))


def test_no_family_is_forgotten() -> None:
    """Every family that transformers lets count from the padding token is among those that are listed."""
    counting = set()
    for config in MODEL_FOR_MASKED_LM_MAPPING:
        package = importlib.util.find_spec(config.__module__.rpartition(".")[0])
        assert package is not None
        assert package.origin is not None
        sources = Path(package.origin).parent.glob("modeling_*.py")
        if any("create_position_ids_from_input_ids" in source.read_text("utf-8") for source in sources):
            counting.add(config.model_type)
    assert counting >= AFTER_PADDING
    assert counting - AFTER_PADDING <= {"mpnet"}


@pytest.mark.parametrize(
    ("config", "tokenizer", "most"),
    [
        ({"max_position_embeddings": 512}, {}, 512),
        ({"model_type": "roberta", "max_position_embeddings": 514, "pad_token_id": 1}, {}, 512),
        ({"model_type": "roberta", "max_position_embeddings": 514}, {}, 512),
        ({}, {}, 512),
        ({"max_position_embeddings": None}, {}, 512),
        ({"max_position_embeddings": 64, "pad_token_id": None}, {}, 64),
        ({"max_position_embeddings": 64}, {"model_max_length": None}, 64),
        ({"max_position_embeddings": 64}, {"model_max_length": 32}, 32),
        ({"max_position_embeddings": 64}, {"model_max_length": 10**30}, 64),
        ({"max_position_embeddings": 64}, {"model_max_length": 1e30}, 64),
        ({"max_position_embeddings": 64}, {"model_max_length": math.inf}, 64),
    ],
)
def test_what_is_not_told_has_a_default(config: dict[str, Any], tokenizer: dict[str, Any], most: int) -> None:
    """A value that is null or absent is BERT's; a tokenizer's limit counts where it is less."""
    assert usable_positions(config, tokenizer) == most


@pytest.mark.parametrize("name", ["max_position_embeddings", "pad_token_id", "model_max_length"])
@pytest.mark.parametrize("value", ["many", True, -1, [512], {}, math.nan])
def test_a_value_that_is_no_number_is_named(name: str, value: Any) -> None:
    """The message names the value, and what to do."""
    values = {"model_type": "roberta", "max_position_embeddings": 514, name: value}
    with pytest.raises(UserError, match=rf"^{name} is .* no number from \d on: save the model again"):
        usable_positions(values, values)


def test_a_roberta_without_padding_token_is_refused() -> None:
    """It would fail in its first batch: it counts positions from that token."""
    with pytest.raises(UserError, match=r"pad_token_id is null .*, but a roberta counts positions from it"):
        usable_positions({"model_type": "roberta", "max_position_embeddings": 514, "pad_token_id": None})


def test_the_first_position_follows_the_padding_token() -> None:
    """In RoBERTa's family; in any other it is 0, and MPNet's padding token is always 1."""
    assert first_position({"model_type": "xlm-roberta", "pad_token_id": 5}) == 6
    assert first_position({"model_type": "mpnet", "pad_token_id": 5}) == 2
    assert first_position({"model_type": "bert", "pad_token_id": 5}) == 0
