"""A small documentation, models of it before and after, and what a run makes of them."""

from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from tempfile import mkdtemp

import torch
from transformers import BertForMaskedLM

from tasks.evaluate_model.given import Given
from tasks.evaluate_model.settings import EvaluateSettings
from tasks.records import Corpus, EmbeddedModel, Pairs, TokenizedDataset, TrainedModel
from tests.tasks.pair_documents.corpora import corpus, mined
from tests.tasks.retrieval.models import save_tiny_retriever, some_texts
from tests.tiny import save_tiny_bert

TOPICS = {
    "servers": ["agent", "machine", "restart", "install"],
    "clusters": ["cluster", "control plane", "data services", "connects"],
}
"""By folder what its pages are about."""
PAGES = 24
HELD_OUT = 3
"""Every so many documents one is held out."""
COUNTS = {
    Corpus: {
        "found": 24, "kept": 24, "dropped_by_reason": {}, "characters": 1, "eval_documents": 8,
        "languages": {"en": 24},
    },
    Pairs: {
        "passages": 1, "mined": 1, "kept": 1, "dropped_by_reason": {}, "by_kind": {}, "by_split": {},
    },
    TokenizedDataset: {
        "vocab_size": 157, "max_seq_length": 32, "train_windows": 1, "eval_windows": 1, "corpus_tokens": 1,
        "train_document_tokens": 1, "train_tokens": 1, "eval_tokens": 1,
    },
    TrainedModel: {
        "global_step": 1, "resumed_from_step": 0, "tokens_per_second": 1.0, "loss": 1.0, "eval_before": None,
        "eval_after": None, "device": "cpu", "history": [], "fill_samples": [],
    },
    EmbeddedModel: {"base": "tiny"},
}  # fmt: skip
"""What the records count of it."""


def documents(pages: int = PAGES) -> dict[str, str]:
    """Markdown by path: pages of two folders, each with a title, a description, headings and a link."""
    found = {}
    # Sentences that the tiny vocabulary tells apart, or equal scores would be ranked by chance.
    said = some_texts(4 * pages)
    for number in range(pages):
        folder = list(TOPICS)[number % 2]
        words = TOPICS[folder]
        first, second = words[number % 4], words[(number // 4 + 1) % 4]
        names = [" ".join(text.split()[:3]) for text in said[4 * number : 4 * number + 4]]
        one, two = said[4 * number], said[4 * number + 1]
        other = f"page-{(number + 2) % pages}.md"
        found[f"docs/{folder}/page-{number}.md"] = (
            f"---\ntitle: The {first} {names[0]}\nms.topic: {'how-to' if number % 4 < 2 else 'concept'}\n"
            f"description: About the {second} in {folder} {names[1]}\n---\n"
            f"# The {first} {names[0]}\n\nRun the command to install the {first}, then {one}. {two}.\n\n"
            f"## Use the {second} {names[2]}\n\n"
            f"The quick brown fox jumps over kubernetes and the {first}; kubernetes connects {folder}. "
            f"{two}. See [what the {second} does {names[3]}]({other}) too.\n"
        )
    return found


@lru_cache
def models() -> tuple[Path, Path, Path]:
    """Folders of a model before, of the same one changed a little, and of a retrieval model."""
    folder = Path(mkdtemp(prefix="docs-mlm-evaluated-"))
    base, trained = save_tiny_bert(folder / "base"), save_tiny_bert(folder / "trained")
    model = BertForMaskedLM.from_pretrained(trained)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.02 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(1)))
    model.save_pretrained(trained)
    return base, trained, save_tiny_retriever(folder)


@lru_cache
def given() -> Given:
    """What the probes are given: all of it, with a retrieval model that began from another model."""
    folder = Path(mkdtemp(prefix="docs-mlm-given-"))
    pages = documents()
    file = corpus(folder, pages, set(list(pages)[::HELD_OUT]))
    mined(file)
    base, trained, retriever = models()
    return Given(
        trained=trained,
        base=base,
        retrieval=retriever,
        encoder=base,
        begun=True,
        corpus=file,
        pairs=folder / "pairs",
        documents={},
        languages=["en"],
        max_seq_length=32,
        settings=EvaluateSettings(),
    )


def given_with(**changes: object) -> Given:
    """The same with other settings."""
    return replace(given(), settings=EvaluateSettings(**changes))
