"""How many tokens a tokenizer gives, read from its files: without transformers, so that a plan can ask."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tasks.errors import UserError

NAMED = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
NAMED_LISTS = ("additional_special_tokens", "extra_special_tokens")
"""What `tokenizer_config.json` calls special tokens: those that the vocabulary lacks are added on loading."""


def known_tokens(folder: Path) -> int:
    """The highest id of a token and one more; 0 where the files do not tell.

    Args:
        folder: with `tokenizer.json`, or with a vocabulary as one list.
    """
    ids = _vocabulary(folder)
    if not ids:
        return 0
    told = _object(folder / "tokenizer_config.json")
    later = set(map(str, _object(folder / "added_tokens.json")))
    later.update(_contents([told.get(name) for name in NAMED]))
    for name in NAMED_LISTS:
        later.update(_contents(told.get(name)))
    decoder = told.get("added_tokens_decoder")
    later.update(_contents(decoder.values() if isinstance(decoder, dict) else None))
    return max(ids.values()) + 1 + len(later.difference(ids))


def check_tokens(known: int, config: Mapping[str, Any], name: str) -> None:
    """See that a model has an embedding for every token.

    Args:
        known: tokens that its tokenizer gives.
        config: the values of `config.json`.

    Raises:
        UserError: it has fewer.
    """
    text = config.get("text_config")
    embeddings = config.get("vocab_size", text.get("vocab_size") if isinstance(text, dict) else None)
    if isinstance(embeddings, int) and known > embeddings:
        raise UserError(
            f"the tokenizer knows {known} tokens, but {name} has embeddings for {embeddings}: call "
            "model.resize_token_embeddings(len(tokenizer)) and save both again, or use the tokenizer that "
            "the model was trained with"
        )


def _vocabulary(folder: Path) -> dict[str, int]:
    """Tokens and their ids, as far as one file tells."""
    whole = _object(folder / "tokenizer.json")
    model = whole.get("model")
    listed = model.get("vocab") if isinstance(model, dict) else None
    if listed is None and (folder / "vocab.txt").is_file():
        listed = (folder / "vocab.txt").read_text(encoding="utf-8", errors="replace").splitlines()
    ids: dict[str, int] = {}
    if isinstance(listed, list):  # of tokens, or of tokens with their scores
        ids = {str(one[0] if isinstance(one, list) else one): place for place, one in enumerate(listed)}
    elif isinstance(known := _object(folder / "vocab.json") if listed is None else listed, dict):
        ids = {token: number for token, number in known.items() if isinstance(number, int)}
    added = whole.get("added_tokens")
    for token in added if isinstance(added, list) else ():
        if isinstance(token, dict) and isinstance(token.get("id"), int):
            ids[str(token.get("content"))] = token["id"]
    return ids


def _contents(tokens: Any) -> Iterable[str]:
    """Tokens as text, each given as such or with its properties."""
    if isinstance(tokens, str | dict) or not isinstance(tokens, Iterable):
        return
    for token in tokens:
        text = token.get("content") if isinstance(token, dict) else token
        if isinstance(text, str):
            yield text


def _object(path: Path) -> dict[str, Any]:
    """A file's JSON object; an empty one where it is not there or is none, which its reader will tell."""
    try:
        loaded = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return loaded if isinstance(loaded, dict) else {}
