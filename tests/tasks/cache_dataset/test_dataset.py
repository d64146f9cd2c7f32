"""The corpus becomes a dataset that plain `datasets` loads, and the notebook's JSON file."""

import json
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.cache_dataset.dataset import build_dataset, export_dataset
from tasks.errors import UserError
from tasks.filter_markdown.corpus import CORPUS_SCHEMA

ROWS = [
    {
        "text": f'Text {number}, "é" 日本\n\nrun',
        "path": path,
        "blob_sha": f"{number:040x}",
        "split": split,
        "code_spans": [{"start": 18, "end": 21}],
    }
    for number, (path, split) in enumerate(
        [("b.md", "train"), ("c.md", "eval"), ("a.md", "train"), ("d.md", "train")]
    )
]


def build(folder: Path, rows: list[dict[str, Any]], fingerprint: str = "k") -> tuple[Path, dict[str, int]]:
    """The dataset's folder and its counts, from a corpus of `rows`."""
    folder.mkdir(exist_ok=True)
    corpus = folder / "corpus.parquet"
    pq.write_table(pa.Table.from_pylist(rows, CORPUS_SCHEMA), corpus)
    target = folder / "dataset"
    return target, build_dataset(corpus, target, fingerprint=fingerprint)


def test_plain_datasets_loads_it(tmp_path: Path) -> None:
    """`load_from_disk` gives the corpus's rows by split, with all columns, and nothing is left beside it."""
    target, counts = build(tmp_path / "made", ROWS)
    loaded = datasets.load_from_disk(str(target))
    assert counts == {"train": 3, "eval": 1}
    assert loaded["train"].to_list() == [row for row in ROWS if row["split"] == "train"]
    assert loaded["eval"].to_list() == [row for row in ROWS if row["split"] == "eval"]
    assert {path.name for path in target.parent.iterdir()} == {"corpus.parquet", "dataset"}


def test_without_held_out_documents_there_is_no_eval_split(tmp_path: Path) -> None:
    """An empty split is left out instead of saved empty."""
    target, counts = build(tmp_path / "made", [row for row in ROWS if row["split"] == "train"])
    assert list(datasets.load_from_disk(str(target))) == ["train"]
    assert counts == {"train": 3, "eval": 0}


def test_the_same_corpus_gives_the_same_bytes(tmp_path: Path) -> None:
    """Two machines that build the same key write the same files."""
    files = [
        {path.relative_to(target): path.read_bytes() for path in sorted(target.rglob("*")) if path.is_file()}
        for target, _ in (build(tmp_path / "one", ROWS), build(tmp_path / "two", ROWS))
    ]
    assert files[0] == files[1]
    assert len(files[0]) == 7


def test_texts_are_exported_as_the_notebook_wrote_them(tmp_path: Path) -> None:
    """One indented list of strings in path order, in UTF-8 without escapes, with nothing left beside it.

    Behind the list is white space alone, as JSON allows it.
    """
    target, _ = build(tmp_path / "made", ROWS)
    exported = tmp_path / "new" / "docs_texts.json"
    assert export_dataset(target, exported, form="text") == 4
    texts = [row["text"] for row in sorted(ROWS, key=lambda row: str(row["path"]))]
    assert exported.read_text("utf-8").rstrip() == json.dumps(texts, ensure_ascii=False, indent=2)
    assert json.loads(exported.read_bytes()) == texts
    assert list(exported.parent.iterdir()) == [exported]


def test_an_export_that_cannot_be_written_says_where(tmp_path: Path) -> None:
    """A folder in the file's place is a user's error that names the setting and the path."""
    target, _ = build(tmp_path / "made", ROWS)
    (tmp_path / "taken").mkdir()
    with pytest.raises(UserError, match=r"publish\.export_texts .*taken"):
        export_dataset(target, tmp_path / "taken", form="text")
    assert {path.name for path in tmp_path.iterdir()} == {"made", "taken"}


def test_an_export_replaces_an_export_alone(tmp_path: Path) -> None:
    """What docs-mlm exported is replaced; another file, and an export that was edited, stay as they are."""
    target, _ = build(tmp_path / "made", ROWS)
    file = tmp_path / "docs_texts.json"
    export_dataset(target, file, form="raw")
    export_dataset(target, file, form="text")
    ours = file.read_bytes()
    for content in (
        b'["my own"]',
        b"",
        ours.rstrip() + b"\n",
        ours.replace(b"Text 1", b"Text 7"),
        ours + b" ",
    ):
        file.write_bytes(content)
        with pytest.raises(UserError, match=r"publish\.export_texts .*docs_texts\.json.*give a new path"):
            export_dataset(target, file, form="text")
        assert file.read_bytes() == content
