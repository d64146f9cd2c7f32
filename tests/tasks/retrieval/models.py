"""Tiny models that encode, and texts for them."""

from functools import lru_cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np

from tests.tiny import save_tiny_bert, tiny_tokenizer

PROMPTS = {"query": "quick fox: ", "document": "the dog: "}


def save_tiny_retriever(folder: Path, *, prompts: dict[str, str] | None = None) -> Path:
    """Save a tiny model of sentence-transformers: mean pooling, normalised, with prompts if any."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Normalize, Transformer
    from sentence_transformers.sentence_transformer.modules import Pooling

    encoder = Transformer(str(save_tiny_bert(folder / "plain")))
    modules = [encoder, Pooling(encoder.get_embedding_dimension(), "mean"), Normalize()]
    model = SentenceTransformer(modules=modules, prompts=prompts, device="cpu", local_files_only=True)
    model.save_pretrained(str(folder / "retriever"), create_model_card=False)
    return folder / "retriever"


@lru_cache
def plain_folder() -> Path:
    """A tiny masked-language model, saved once."""
    return save_tiny_bert(Path(mkdtemp(prefix="docs-mlm-plain-")))


def some_texts(count: int, seed: int = 0) -> list[str]:
    """Different texts of 1 to 40 words, some longer than the tiny model's positions."""
    random = np.random.default_rng(seed)
    words = sorted(word for word in tiny_tokenizer().get_vocab() if word.isalpha() and len(word) > 1)
    texts = [" ".join(random.choice(words, 1 + int(random.integers(40)))) for _ in range(2 * count)]
    return list(dict.fromkeys(texts))[:count]
