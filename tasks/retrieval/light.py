"""A query's vector without torch: BERT's forward pass by numpy, for a BERT that is pooled by the mean.

To import torch and sentence-transformers takes seconds. What is not exactly such a model is left to
`dense.py`; an index notes whether both gave its own passages the same vectors.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tasks.retrieval.ranking import Vectors

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Array = npt.NDArray[np.float32]
_ERF = (0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429)
"""Of formula 7.1.26 by Abramowitz and Stegun, which is within 1.5e-7 of the error function."""


class LightEncoder:
    """A BERT that makes vectors of a few texts."""

    def __init__(self, folder: Path, config: dict[str, Any], tokenizer: Tokenizer, prompt: str) -> None:
        self._weights, self._config = _Weights(folder / "model.safetensors"), config
        self._tokenizer, self._prompt = tokenizer, prompt

    @classmethod
    def load(cls, folder: Path) -> LightEncoder | None:
        """The model of a folder; None where it is any that this file does not know exactly."""
        place, longest = _transformer(folder)
        if place is None or not all(
            (place / name).is_file() for name in ("tokenizer.json", "model.safetensors")
        ):
            return None
        config = _json(place / "config.json")
        known = config.get("model_type") == "bert" and config.get("hidden_act") == "gelu"
        if not known or config.get("position_embedding_type", "absolute") != "absolute":
            return None
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(place / "tokenizer.json"))
        limits = (longest, _json(place / "tokenizer_config.json").get("model_max_length"))
        most = [int(limit) for limit in limits if isinstance(limit, int | float)][:1]
        tokenizer.no_padding()
        tokenizer.enable_truncation(min([config["max_position_embeddings"], *most]))
        prompts = _json(folder / "config_sentence_transformers.json").get("prompts") or {}
        return cls(place, config, tokenizer, prompts.get("query") or "")

    def queries(self, texts: Sequence[str]) -> Vectors:
        """(texts, dimensions) the vectors of queries, each of length 1."""
        return np.stack([self._vector(self._prompt + text) for text in texts])

    def _vector(self, text: str) -> Array:
        encoded = self._tokenizer.encode(text)
        weights, epsilon = self._weights, self._config["layer_norm_eps"]
        hidden = weights.rows("embeddings.word_embeddings.weight", encoded.ids)
        hidden += weights["embeddings.position_embeddings.weight"][: len(hidden)]
        hidden += weights["embeddings.token_type_embeddings.weight"][encoded.type_ids]
        hidden = weights.norm(hidden, "embeddings.LayerNorm", epsilon)
        for layer in range(self._config["num_hidden_layers"]):
            hidden = self._layer(hidden, f"encoder.layer.{layer}", epsilon)
        mean: Array = hidden.mean(axis=0)
        return mean / np.float32(max(float(np.linalg.norm(mean)), 1e-12))

    def _layer(self, hidden: Array, name: str, epsilon: float) -> Array:
        """(tokens, width) what one layer of the encoder makes of it."""
        weights, heads = self._weights, self._config["num_attention_heads"]
        query, key, value = (
            weights.linear(hidden, f"{name}.attention.self.{part}")
            .reshape(len(hidden), heads, -1)
            .transpose(1, 0, 2)
            for part in ("query", "key", "value")
        )
        scores = query @ key.transpose(0, 2, 1) / np.float32(math.sqrt(query.shape[2]))
        shares = np.exp(scores - scores.max(axis=2, keepdims=True))
        shares /= shares.sum(axis=2, keepdims=True)
        mixed = (shares @ value).transpose(1, 0, 2).reshape(hidden.shape)
        mixed = weights.linear(mixed, f"{name}.attention.output.dense")
        hidden = weights.norm(hidden + mixed, f"{name}.attention.output.LayerNorm", epsilon)
        inner = _gelu(weights.linear(hidden, f"{name}.intermediate.dense"))
        return weights.norm(
            hidden + weights.linear(inner, f"{name}.output.dense"), f"{name}.output.LayerNorm", epsilon
        )


class _Weights:
    """A checkpoint's tensors in fp32, each read when it is first asked for."""

    def __init__(self, file: Path) -> None:
        self._file = _opened(file)
        names = list(self._file.keys())
        self._before = "bert." if any(name.startswith("bert.") for name in names) else ""
        self._read: dict[str, Array] = {}

    def __getitem__(self, name: str) -> Array:
        if name not in self._read:
            self._read[name] = self._file.get_tensor(self._before + name).astype(np.float32, copy=False)
        return self._read[name]

    def rows(self, name: str, numbers: Sequence[int]) -> Array:
        """(numbers, width) some rows of a table, without reading the others."""
        table = self._file.get_slice(self._before + name)
        return np.concatenate([table[number : number + 1] for number in numbers]).astype(np.float32)

    def linear(self, hidden: Array, name: str) -> Array:
        """(tokens, outputs) a linear layer's product and bias."""
        product: Array = hidden @ self[f"{name}.weight"].T + self[f"{name}.bias"]
        return product

    def norm(self, hidden: Array, name: str, epsilon: float) -> Array:
        """(tokens, width) normalised over the width."""
        centred = hidden - hidden.mean(axis=1, keepdims=True)
        deviation = np.sqrt((centred**2).mean(axis=1, keepdims=True) + np.float32(epsilon))
        normal: Array = centred / deviation * self[f"{name}.weight"] + self[f"{name}.bias"]
        return normal


def _opened(file: Path) -> Any:
    from safetensors import safe_open

    return safe_open(file, framework="numpy")


def _gelu(values: Array) -> Array:
    scaled = np.abs(values) * np.float32(math.sqrt(0.5))
    step = 1 / (1 + np.float32(0.3275911) * scaled)
    series = np.zeros_like(step)
    for factor in reversed(_ERF):
        series = (series + np.float32(factor)) * step
    error = np.copysign(1 - series * np.exp(-scaled * scaled), values)
    result: Array = values * np.float32(0.5) * (1 + error)
    return result


def _transformer(folder: Path) -> tuple[Path | None, int | None]:
    """The folder of the encoder, and its longest text; None if more than the mean is made of its tokens."""
    if not (folder / "modules.json").is_file():
        return folder, None
    modules: Any = json.loads((folder / "modules.json").read_text(encoding="utf-8"))
    kinds = [str(module["type"]).rpartition(".")[2] for module in modules]
    if kinds not in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"]):
        return None, None
    pooling = _json(folder / modules[1]["path"] / "config.json")
    modes = [name for name, value in pooling.items() if name.startswith("pooling_mode_") and value]
    if pooling.get("pooling_mode", "mean") != "mean" or modes not in ([], ["pooling_mode_mean_tokens"]):
        return None, None
    if not pooling.get("include_prompt", True):
        return None, None
    place = folder / modules[0]["path"]
    own = _json(place / "sentence_bert_config.json")
    plain = not own.get("do_lower_case") and not own.get("query_length")
    return (place if plain else None), own.get("max_seq_length")


def _json(file: Path) -> dict[str, Any]:
    """The values of a JSON file; none where it is not there."""
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return found
