"""Texts as vectors: by a sentence-transformers folder, or by a masked-language model with mean pooling.

The model's own modules do the work; what is ours is the order. Texts go by their length in tokens, in batches
of about as many tokens each, padding counted, and equal texts are encoded once. That is never slower than
`model.encode`, whose batches are of 32 texts by their length in characters.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from tasks.errors import UserError, first_line
from tasks.retrieval.passages import distinct
from tasks.retrieval.ranking import Vectors

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from torch import Tensor

Task = Literal["query", "document"]
MODULES = "modules.json"
"""What a sentence-transformers folder has, and a plain model lacks."""
PROMPTS = {"query": ("query",), "document": ("document", "passage", "corpus")}
"""Names of the prompt that is put before a text: the first that the model has, as the library does it."""
TOKENS = {"cpu": 2048, "cuda": 65_536}
"""Most tokens of a batch, padding counted: what keeps two cores, or a GPU, busy and their caches warm."""
_PREPARED_AT_ONCE = 2048


class Encoder:
    """A model that makes vectors of texts."""

    def __init__(self, model: SentenceTransformer, folder: Path | None = None) -> None:
        self.model, self.folder = model.eval(), folder

    @classmethod
    def load(cls, folder: Path, *, max_seq_length: int | None = None, device: str | None = None) -> Encoder:
        """The model of a folder, in fp32, without code of its own and without asking any host.

        Args:
            folder: as sentence-transformers writes it, or as transformers does, which is pooled by the mean.
            max_seq_length: most tokens of a text, special ones included; what the model says if None.
            device: as torch calls it; a GPU where there is one if None.

        Raises:
            UserError: it does not load, has pickled weights or needs code of its own.
        """
        with _quiet(), _explained(folder):
            model = _load(folder, device)
        if max_seq_length is not None:
            model.max_seq_length = max_seq_length
        return cls(model, folder)

    def queries(self, texts: Sequence[str]) -> Vectors:
        """(texts, dimensions) the vectors of queries, each of length 1.

        Raises:
            UserError: the model's weights make none.
        """
        return self._encode(texts, "query")

    def passages(self, texts: Sequence[str], tell: Callable[[int], None] | None = None) -> Vectors:
        """(texts, dimensions) the vectors of passages, each of length 1.

        Args:
            tell: is told now and then how many different texts are done.

        Raises:
            UserError: the model's weights make none.
        """
        return self._encode(texts, "document", tell)

    def _encode(self, texts: Sequence[str], task: Task, tell: Callable[[int], None] | None = None) -> Vectors:
        different, of_text = distinct(texts)
        found = np.zeros((len(different), self.model.get_embedding_dimension() or 0), np.float32)
        done = 0
        for places, vectors in self._batches(different, task):
            found[places] = vectors
            done += len(places)
            if tell:
                tell(done)
        if not np.isfinite(found).all():
            raise UserError(
                "the model makes vectors that are NaN or infinite, by which nothing can be found: "
                "take an earlier checkpoint, or save the model again in fp32"
            )
        found /= np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)
        return found if of_text is None else found[of_text]

    def _batches(self, texts: list[str], task: Task) -> Iterator[tuple[npt.NDArray[np.int64], Vectors]]:
        """Places of texts, and their vectors, until all are done."""
        import torch

        prompt = next(
            (self.model.prompts[name] for name in PROMPTS[task] if name in self.model.prompts), None
        )
        most = TOKENS.get(self.model.device.type, TOKENS["cpu"])
        # Longest first: a batch that does not fit in memory is the first one.
        order = np.argsort([-len(text) for text in texts], kind="stable")
        with torch.inference_mode():
            for first in range(0, len(order), _PREPARED_AT_ONCE):
                places = order[first : first + _PREPARED_AT_ONCE]
                some = [texts[place] for place in places]
                features = self.model.preprocess(some, prompt=prompt, task=task)
                if not _is_padded(features, len(some)):
                    yield places, self._by_itself(some, task)
                    continue
                for rows, batch in _cut(features, most):
                    moved = {name: _moved(value, self.model.device) for name, value in batch.items()}
                    vectors = self.model(moved, task=task)["sentence_embedding"]
                    yield places[rows], vectors.float().cpu().numpy()

    def _by_itself(self, texts: list[str], task: Task) -> Vectors:
        """By the model's own loop, for models whose inputs are no padded tokens."""
        encode = self.model.encode_query if task == "query" else self.model.encode_document
        found: Vectors = encode(texts, show_progress_bar=False, convert_to_numpy=True)
        return found


def _load(folder: Path, device: str | None) -> SentenceTransformer:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Transformer
    from sentence_transformers.sentence_transformer.modules import Pooling

    if not (folder / "config.json").is_file() and not (folder / MODULES).is_file():
        raise UserError(f"{folder} holds no model: it has neither config.json nor {MODULES}")
    local = {"local_files_only": True, "trust_remote_code": False}
    weights = {"use_safetensors": True, "dtype": "float32"}
    if not (folder / MODULES).is_file():
        encoder = Transformer(
            str(folder), model_kwargs=local | weights, processor_kwargs=dict(local), config_kwargs=dict(local)
        )
        pooling = Pooling(encoder.get_embedding_dimension(), "mean")
        return SentenceTransformer(modules=[encoder, pooling], device=device, local_files_only=True)
    _check_modules(folder)
    return SentenceTransformer(str(folder), device=device, model_kwargs=weights, **local)


def _check_modules(folder: Path) -> None:
    """See that a folder's modules are the library's own, and that none is a pickle."""
    for module in json.loads((folder / MODULES).read_text(encoding="utf-8")):
        if not str(module["type"]).startswith("sentence_transformers."):
            raise UserError(
                f"{folder} needs code of its own ({module['type']} in {MODULES}), which is not run: "
                "choose a model of sentence-transformers' own modules"
            )
        part = folder / module["path"]
        if list(part.glob("pytorch_model*.bin")) and not list(part.glob("*.safetensors")):
            raise UserError(
                f"{part} has pickled weights alone, which are not loaded: save the model again with "
                "save_pretrained"
            )


def _is_padded(features: dict[str, Any], texts: int) -> bool:
    """Whether these are tokens, a text a row, with all padding behind them."""
    mask = features.get("attention_mask")
    if mask is None or mask.ndim != 2 or len(mask) != texts or not bool(mask[:, 0].all()):
        return False
    shapes = {tuple(value.shape) for value in features.values() if hasattr(value, "shape")}
    return shapes == {tuple(mask.shape)}


def _cut(features: dict[str, Any], most: int) -> Iterator[tuple[npt.NDArray[np.int64], dict[str, Any]]]:
    """Padded tokens in batches of texts of like length: the rows of each, and its own features."""
    lengths = features["attention_mask"].sum(dim=1).numpy()
    order = np.argsort(-lengths, kind="stable")
    first = 0
    while first < len(order):
        longest = int(lengths[order[first]])
        rows = order[first : first + max(1, most // longest)]
        first += len(rows)
        yield (
            rows,
            {
                name: value[rows, :longest] if hasattr(value, "shape") else value
                for name, value in features.items()
            },
        )


def _moved(value: Any, device: Any) -> Any:
    if not hasattr(value, "to"):
        return value
    tensor: Tensor = value
    return tensor.to(device)


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    """Within, what the libraries say of a folder that they cannot load is an error of its user."""
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, ImportError, SafetensorError) as error:
        raise UserError(
            f"{folder} does not load as a model of texts ({first_line(error)}): give a folder that "
            "sentence-transformers or transformers saved with save_pretrained, with safetensors weights"
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Within, transformers logs errors only: an encoder leaves the weights of the MLM head alone."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(before)
