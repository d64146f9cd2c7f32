"""How long a text a model takes."""

from typing import Any


def _usable_positions(config: dict[str, Any], tokenizer_config: dict[str, Any]) -> int:
    """RoBERTa counts positions from its padding id + 1, so two of its 514 cannot be used."""
    positions = int(config.get("max_position_embeddings", 512))
    if config.get("model_type") in ("roberta", "xlm-roberta", "camembert", "mpnet", "longformer"):
        positions -= int(config.get("pad_token_id", 1)) + 1
    limit = tokenizer_config.get("model_max_length", positions)
    return min(positions, int(limit)) if limit < 10**9 else positions
