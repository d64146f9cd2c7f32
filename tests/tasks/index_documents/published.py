"""Stores with a published model and all that a search needs of it, made by hand."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.records import DocsSnapshot, EvaluatedModel, Pairs, PublishedModel
from tasks.store.folders import Store
from tasks.store.manifest import Manifest
from tests.tasks.retrieval.models import plain_folder

COMMIT = "0123456789abcdef" * 2 + "01234567"
SOURCE = "https://github.com/owner/docs.git"
KEYS = (
    "---\ntitle: Keys\n---\n# Keys\n\nA key opens a vault.\n\n## Rotate a key\n\n"
    "To **rotate** a key, see [it](a.md).\n"
)
NODES = "# Nodes\n\nA node joins a cluster.\n"
RAW = {"docs/keys.md": KEYS, "docs/nodes.md": NODES}
PASSAGES = [
    ("docs/keys.md", "Keys", "A key opens a vault.", 5),
    ("docs/keys.md", "Rotate a key", "To rotate a key, see it.", 40),
    ("docs/nodes.md", "Nodes", "A node joins a cluster.", 6),
]
LINES = [6, 10, 3]
"""Where these begin in the raw documents."""
Row = tuple[str, str, str, int]


def commit(store: Store, stage: str, key: str, folder: Path, record: dict[str, Any], **more: Any) -> Any:
    """Commit what a folder holds."""
    whole = {"uri": store.uri(stage, key), "key": key} | record
    manifest = Manifest(stage=stage, key=key, record=whole, **more)
    return store.commit(folder, whole["uri"], manifest).record


def snapshot(
    store: Store, raw: dict[str, str], key: str = "d" * 32, source: str = SOURCE, **more: Any
) -> dict[str, Any]:
    """Commit raw documents."""
    with tempfile.TemporaryDirectory() as name:
        columns = {"path": list(raw), "content": [text.encode() for text in raw.values()]}
        pq.write_table(pa.table(columns), Path(name) / DocsSnapshot.FILE)
        values = {
            "source": source, "commit_sha": COMMIT, "found": len(raw), "read": len(raw), "bytes_read": 1,
            "licenses": [],
        }  # fmt: skip
        return commit(store, "documents", key, Path(name), values | more)


def passages(store: Store, rows: list[Row], key: str = "b" * 32) -> dict[str, Any]:
    """Commit passages: path, heading, text and start of each."""
    with tempfile.TemporaryDirectory() as name:
        path, heading, text, start = (list(column) for column in zip(*rows, strict=True))
        columns = {
            "passage": list(range(len(rows))), "path": path, "split": ["train"] * len(rows),
            "heading": heading, "anchor": [""] * len(rows), "text": text, "start": start,
            "end": [at + len(one) for at, one in zip(start, text, strict=True)],
        }  # fmt: skip
        pq.write_table(pa.table(columns), Path(name) / Pairs.PASSAGES)
        counts = {"passages": len(rows), "mined": 0, "kept": 0, "dropped_by_reason": {}}
        return commit(store, "pairs", key, Path(name), counts | {"by_kind": {}, "by_split": {}})


def publish(
    store: Store,
    *,
    retriever: Path | None = None,
    best: str | None = None,
    key: str = "a" * 32,
    version: str = "20260101-000000-aaaaaaaa",
    documents: dict[str, Any] | None = None,
    pairs: dict[str, Any] | None = None,
    is_old: bool = False,
) -> Manifest:
    """Publish a tiny model, as the newest one, and return its manifest.

    Args:
        retriever: a retrieval model that is published with it.
        best: what the probe found best; no probe was made if None.
        is_old: whether an earlier version of docs-mlm published it, which kept no passages.
    """
    ancestors: dict[str, Any] = {
        "documents": documents or snapshot(store, RAW),
        "corpus": {"kept": 2},
        "training": {"global_step": 1, "eval_before": None, "eval_after": None},
    }
    if not is_old:
        ancestors["pairs"] = pairs or passages(store, PASSAGES)
    if best is not None:
        ancestors["evaluation"] = EvaluatedModel(uri="", key="e" * 32, retrieval={}, best=best).as_json()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "model"
        shutil.copytree(plain_folder(), folder)
        if retriever is not None:
            shutil.copytree(retriever, folder / PublishedModel.RETRIEVAL)
        record = commit(
            store, "models", key, folder, {"version": version, "name": "tiny"}, ancestors=ancestors
        )
    store.write_json(store.uri("models", "latest.json"), {"key": key, "version": version})
    found = store.manifest(record["uri"])
    assert found is not None
    return found
