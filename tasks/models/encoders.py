"""The model that a retrieval model begins from, pinned to one content like any other.

It is a folder of sentence-transformers, or a plain encoder of transformers, which is then pooled by the mean.
"""

import json
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from tasks.errors import UserError
from tasks.models.pinned import PinnedModel, local_files, resolve_model
from tasks.models.settings import ModelSettings

MODULES = "modules.json"
"""What a folder of sentence-transformers has, and a plain model lacks."""
OWN_MODULES = "sentence_transformers."
DECODERS = frozenset(
    (
        "gpt2",
        "gpt_neo",
        "gpt_neox",
        "gptj",
        "llama",
        "mistral",
        "gemma",
        "gemma2",
        "qwen2",
        "qwen3",
        "opt",
        "phi",
    )
)
"""Kinds of models that see what is before a token alone: by themselves they are pooled badly."""
_DECODERS = ("ForCausalLM", "ForConditionalGeneration", "ForSeq2SeqLM", "LMHeadModel")


def resolve_encoder(name: str, revision: str | None, work_dir: Path) -> PinnedModel:
    """Pin the retrieval model of that name: a hub name, a folder, or a model's URI in a store.

    Its small files are fetched, of which the plan must know: what its modules are, and how it pools.

    Raises:
        UserError: there is no such model, it is no encoder, needs code of its own, or has no safetensors.
        NetworkError: the hub or the store does not answer, and no cache holds the model.
    """
    pinned = resolve_model(ModelSettings(name_or_path=name, revision=revision), group="embed")
    folder = local_files(pinned, work_dir, weights=False)
    check_encoder(folder, pinned.name)
    return replace(pinned, fingerprint=_digest(pinned.fingerprint, folder))


def check_encoder(folder: Path, name: str) -> None:
    """See that a model makes vectors of texts with modules of the library alone.

    Raises:
        UserError: it does not.
    """
    config = _read(folder / "config.json", {})
    modules = _read(folder / MODULES, [])
    own = [str(module.get("type")) for module in modules if isinstance(module, dict)]
    foreign = [kind for kind in own if not kind.startswith(OWN_MODULES)]
    if foreign or "auto_map" in config:
        raise UserError(
            f"{name} needs code of its own ({foreign[0] if foreign else 'auto_map in config.json'}), "
            "which is not run: choose another retrieval model with embed.name_or_path"
        )
    kinds = [str(kind) for kind in config.get("architectures") or ()]
    decoder = next((kind for kind in kinds if kind.endswith(_DECODERS)), None)
    if not modules and config.get("model_type") in DECODERS:
        decoder = decoder or str(config["model_type"])
    if decoder or config.get("is_encoder_decoder") or config.get("is_decoder"):
        raise UserError(
            f"{name} is a {decoder or 'decoder'}, but a retrieval model is made of an encoder: choose one "
            "such as sentence-transformers/all-MiniLM-L6-v2 with embed.name_or_path"
        )


def _read(file: Path, absent: Any) -> Any:
    if not file.is_file():
        return absent
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{file.name} of the retrieval model is not JSON: {error}") from error
    return found if isinstance(found, type(absent)) else absent


def _digest(fingerprint: str, folder: Path) -> str:
    """The fingerprint of the weights and of what sentence-transformers makes of them."""
    found = sha256(fingerprint.encode())
    names = [MODULES, "config_sentence_transformers.json", "sentence_bert_config.json"]
    parts = [*folder.glob("[0-9]*_*/config.json"), *folder.glob("[0-9]*_*/*.safetensors")]
    for file in [*(folder / name for name in names), *sorted(parts)]:
        if file.is_file():
            found.update(file.name.encode() + file.read_bytes())
    return found.hexdigest()
