"""Preparing a corpus: cleaning and cutting into windows, beside `datasets.map` with the tokenizer alone."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from datasets import Dataset
from datasets.utils.logging import disable_progress_bar

from tasks.filter_markdown.corpus import filter_documents
from tasks.filter_markdown.settings import FilterSettings
from tasks.tokenize_corpus.settings import TokenizeSettings
from tasks.tokenize_corpus.windows import tokenize_split


def prepare_rounds(
    docs: Path, make_tokenizer: Callable[[], Any], max_seq_length: int, folder: Path, rounds: int
) -> dict[str, list[dict[str, Any]]]:
    """Documents a second of each way, in turns."""
    disable_progress_bar()
    files = sorted(docs.rglob("*.md"))
    contents = [path.read_bytes() for path in files]
    texts = [content.decode("utf-8", errors="replace") for content in contents]
    snapshot = folder / "documents.parquet"
    names = [str(path.relative_to(docs)) for path in files]
    nothing = pa.nulls(len(files), pa.string())
    pq.write_table(
        pa.table({"path": names, "blob_sha": names, "content": contents, "reason": nothing}), snapshot
    )
    cut = {"truncation": True, "max_length": max_seq_length}
    ways: dict[str, Callable[[Any], None]] = {
        "datasets.map, tokenizer alone": lambda tokenizer: by_map(texts, tokenizer, {}),
        f"datasets.map, cut off at {max_seq_length}": lambda tokenizer: by_map(texts, tokenizer, cut),
        "docs-mlm, cleaning and windows": lambda tokenizer: by_stages(
            snapshot, folder, tokenizer, max_seq_length
        ),
    }
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in ways}
    for number in range(rounds):
        for name, way in ways.items():
            tokenizer = make_tokenizer()
            began = time.perf_counter()
            way(tokenizer)
            seconds = time.perf_counter() - began
            megabytes = sum(map(len, contents)) / 1e6 / seconds
            result = {"documents_per_second": len(files) / seconds, "megabytes_per_second": megabytes}
            results[name].append(result | {"seconds": seconds})
            print(f"round {number + 1}, {name}: {len(files) / seconds:,.0f} documents/s", flush=True)
    return results


def by_map(texts: list[str], tokenizer: Any, cut: dict[str, Any]) -> None:
    """What the notebook and `run_mlm.py` do with raw texts."""
    rows = Dataset.from_dict({"text": texts})
    rows.map(lambda batch: tokenizer(batch["text"], **cut), batched=True, remove_columns=["text"])


def by_stages(snapshot: Path, folder: Path, tokenizer: Any, max_seq_length: int) -> None:
    """What docs-mlm's stages do: clean, drop copies, hold out, write Parquet, cut at good boundaries."""
    filter_documents(snapshot, folder, FilterSettings())
    corpus = Dataset(pq.read_table(folder / "corpus.parquet", columns=["text", "code_spans", "split"]))
    settings = TokenizeSettings(max_seq_length=max_seq_length)
    splits = pc.unique(corpus.data.column("split")).to_pylist()
    for name in splits:
        chosen = corpus.data.table.filter(pc.equal(corpus.data.column("split"), name))
        table, _ = tokenize_split(Dataset(chosen), tokenizer, settings, name)
        table.dataset(f"prepared-{name}")
