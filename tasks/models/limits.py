"""How many tokens a model takes at once: the one place that knows how its family counts positions.

Only a configuration's values are read, so that a plan needs no torch.
"""

from collections.abc import Mapping
from typing import Any

from tasks.errors import UserError

AFTER_PADDING = frozenset(
    {
        "camembert",
        "data2vec-text",
        "esm",
        "ibert",
        "longformer",
        "luke",
        "roberta",
        "roberta-prelayernorm",
        "xlm-roberta",
        "xlm-roberta-xl",
        "xmod",
    }
)
"""Families that give a text's first token the position after their padding token's id, as RoBERTa does."""
USUAL_POSITIONS = 512
"""What is taken where a configuration does not tell: BERT's."""
ENDLESS = 10**9
"""What tokenizers without a limit say is above it."""


def first_position(config: Mapping[str, Any]) -> int:
    """The position of a text's first token: 0 in most models.

    Args:
        config: the values of `config.json`.

    Raises:
        UserError: it is counted from the padding token, which the configuration does not tell.
    """
    kind = config.get("model_type")
    if kind == "mpnet":  # its padding token is 1 whatever the configuration says
        return 2
    if kind not in AFTER_PADDING:
        return 0
    if "pad_token_id" in config and config["pad_token_id"] is None:
        raise UserError(
            f"pad_token_id is null in the model's config.json, but a {kind} counts positions from it: "
            "set it to the id of the tokenizer's padding token"
        )
    return _number(config, "pad_token_id", 1, least=0) + 1


def usable_positions(config: Mapping[str, Any], tokenizer_config: Mapping[str, Any] | None = None) -> int:
    """Most tokens in one text, special tokens included: two fewer than RoBERTa's 514 positions.

    Args:
        config: the values of `config.json`.
        tokenizer_config: those of `tokenizer_config.json`, whose `model_max_length` may be less.

    Raises:
        UserError: a value is no number.
    """
    positions = _number(config, "max_position_embeddings", USUAL_POSITIONS, least=1) - first_position(config)
    return min(positions, _number(tokenizer_config or {}, "model_max_length", positions, least=1))


def _number(values: Mapping[str, Any], name: str, default: int, *, least: int) -> int:
    """A value of a model's configuration; the default where it is not there or null."""
    value = values.get(name)
    if value is None:
        return default
    if not isinstance(value, int | float) or isinstance(value, bool) or not value >= least:
        raise UserError(
            f"{name} is {value!r} in the model's configuration, which is no number from {least} on: "
            "save the model again with save_pretrained"
        )
    return int(min(value, ENDLESS))
