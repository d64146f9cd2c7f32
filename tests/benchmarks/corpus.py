"""The frozen corpus of a benchmark: the same texts, split and held-out windows for every arm."""

import json
from pathlib import Path

from datasets import Dataset, DatasetDict
from transformers import PreTrainedTokenizerBase

from tasks.filter_markdown.dropping import SPLITS, Fingerprints, decide
from tasks.filter_markdown.judging import RawDocument, judge_batch
from tasks.filter_markdown.settings import FilterSettings
from tasks.tokenize_corpus.settings import TokenizeSettings
from tasks.tokenize_corpus.windows import tokenize_split


def freeze_corpus(
    docs: Path,
    tokenizer: PreTrainedTokenizerBase,
    max_seq_length: int,
    target: Path,
    limit: int | None,
    eval_windows: int | None = None,
) -> dict[str, int]:
    """Clean the Markdown files under `docs` and write what the arms read; how much it is.

    Args:
        limit: take only so many files.
        eval_windows: hold out about so many windows; all of the held-out documents' by default.

    Returns:
        documents and tokens of each split, and the held-out windows.
    """
    settings = FilterSettings()
    kept = {}
    for path in sorted(docs.rglob("*.md"))[:limit]:
        name = str(path.relative_to(docs))
        (judged,) = judge_batch([RawDocument(path=name, blob_sha=name, content=path.read_bytes())], settings)
        if judged.reason is None:
            kept[name] = judged
    fingerprints = Fingerprints()
    for name, judged in kept.items():
        fingerprints.add(name, judged.digest, judged.signature)
    fates = dict(zip(kept, decide(fingerprints, settings).fates, strict=True))
    counts: dict[str, int] = {}
    tables = {}
    for split in SPLITS:
        documents = [judged for name, judged in kept.items() if fates[name] == split]
        (target / f"{split}.json").write_text(json.dumps([judged.cleaned.text for judged in documents]))
        rows = {
            "text": [judged.cleaned.text for judged in documents],
            "code_spans": [
                [{"start": start, "end": end} for start, end in judged.cleaned.code_spans]
                for judged in documents
            ],
        }
        cut = TokenizeSettings(max_seq_length=max_seq_length)
        table, tokens = tokenize_split(Dataset.from_dict(rows), tokenizer, cut, split)
        tables[split] = table.dataset(f"bench-{split}")
        if split == "eval" and eval_windows is not None:
            # Evenly over the documents, so that a few windows stand for all.
            every = max(1, len(tables[split]) // eval_windows)
            tables[split] = tables[split].select(range(0, len(tables[split]), every)).flatten_indices()
        counts |= {f"{split}_documents": len(documents), f"{split}_tokens": tokens}
    DatasetDict(tables).save_to_disk(str(target / "windows"))
    tokenizer.save_pretrained(target / "tokenizer")
    return counts
