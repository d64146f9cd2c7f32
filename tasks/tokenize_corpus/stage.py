"""Stage 4: the texts as windows of tokens, and the tokenizer that made them."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from tasks.errors import UserError
from tasks.models.pinned import PinnedModel, local_files
from tasks.records import CachedDataset, TokenizedDataset
from tasks.stage.log import stage_logger
from tasks.stage.stage import stage
from tasks.stage.target import Target
from tasks.tokenize_corpus.fitting import Fit
from tasks.tokenize_corpus.settings import TokenizeSettings
from tasks.tokenize_corpus.windows import BATCH, WindowTable, tokenize_split
from tasks.tokenize_corpus.wordpiece import train_tokenizer


def load_tokenizer(base: PinnedModel, texts: Callable[[], Iterable[str]], work_dir: Path) -> Any:
    """The base model's tokenizer, or one trained on `texts` for a model from scratch."""
    if base.scratch is not None:
        stage_logger().info("Training a WordPiece tokenizer of at most %d tokens", base.scratch.vocab_size)
        return train_tokenizer(texts, base.scratch)
    from transformers import AutoTokenizer

    folder = local_files(base, work_dir, weights=False)
    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, use_fast=True)
    if not tokenizer.is_fast:
        raise UserError(f"{base.name} has no fast tokenizer: choose a checkpoint that carries tokenizer.json")
    return tokenizer


def recipe(base: PinnedModel, settings: TokenizeSettings) -> dict[str, Any]:
    """What goes into the windows' key: the tokenizer, and how texts are cut."""
    return {"tokenizer": base.tokenizer_fingerprint, **settings.keyed()}


def tokenize_splits(
    splits: Any, tokenizer: Any, settings: TokenizeSettings, fit: Fit
) -> dict[str, tuple[WindowTable, int]]:
    """By split its windows, and how many tokens its documents have before any truncation."""
    total, before, windows = sum(splits.num_rows.values()), 0, {}
    for name, documents in splits.items():
        part = (before / total, len(documents) / total)
        windows[name] = tokenize_split(documents, tokenizer, settings, name, part, fit)
        before += len(documents)
    return windows


@stage(TokenizedDataset, version=2, parents=(CachedDataset,), recipe=recipe, bar="tokenize")
def tokenize_corpus(
    target: Target, dataset: CachedDataset, base: PinnedModel, settings: TokenizeSettings
) -> TokenizedDataset:
    """Cut every document into windows of tokens, with the model's tokenizer or one made from the corpus."""
    from datasets import DatasetDict, load_from_disk

    splits = load_from_disk(str(target.fetch(dataset) / CachedDataset.FOLDER))
    train = splits["train"]

    def texts() -> Iterator[str]:
        for first in range(0, len(train), BATCH):
            yield from train[first : first + BATCH]["text"]

    tokenizer = load_tokenizer(base, texts, target.scratch())
    fit = Fit(tokenizer.unk_token_id)
    windows = tokenize_splits(splits, tokenizer, settings, fit)
    if base.scratch is None and (warning := fit.warning(base.name)):
        stage_logger().warning("%s", warning)
    train_table, train_total = windows["train"]
    eval_table, eval_total = windows.get("eval", (None, 0))
    with target.building() as folder:
        tables = {name: table.dataset(f"{target.key}-{name}") for name, (table, _) in windows.items()}
        DatasetDict(tables).save_to_disk(str(folder / TokenizedDataset.WINDOWS))
        tokenizer.save_pretrained(folder / TokenizedDataset.TOKENIZER)
        counts = {
            "vocab_size": len(tokenizer),
            "max_seq_length": settings.max_seq_length,
            "train_windows": train_table.windows,
            "eval_windows": eval_table.windows if eval_table else 0,
            "corpus_tokens": train_total + eval_total,
            "train_document_tokens": train_total,
            "train_tokens": train_table.tokens,
            "eval_tokens": eval_table.tokens if eval_table else 0,
            "pieces_per_word": round(fit.pieces_per_word, 4),
            "unknown_share": round(fit.unknown_share, 6),
        }
        return target.commit(folder, TokenizedDataset, counts, of=[dataset])
