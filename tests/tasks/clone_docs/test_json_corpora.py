"""What becomes of JSON files: the texts that reach the corpus."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tasks.cache_dataset.dataset import build_dataset, export_dataset
from tasks.clone_docs.kinds import resolve_source, source_of
from tasks.clone_docs.settings import SourceSettings
from tasks.errors import UserError
from tasks.exported import Form
from tasks.filter_markdown.corpus import FilterCounts, filter_documents
from tasks.filter_markdown.settings import FilterSettings
from tasks.records import Corpus

CASES = Path(__file__).parents[4] / "shared" / "cases" / "json"
WORDS = "The widget service keeps a quota for each tenant and tells the owner. " * 4
MARKDOWN = f"# One\n\nSee `a_*b*` and 1 * 2 * 3, <b>bold</b> [link](x).\n\n    code  here\n\n* {WORDS}\n"

Made = Callable[..., tuple[FilterCounts, list[str]]]


@pytest.fixture
def corpus_of(tmp_path: Path) -> Made:
    """Read and filter a JSON file: the counts, and the kept texts in the order of their paths."""

    def make(file: Path, **chosen: Any) -> tuple[FilterCounts, list[str]]:
        source = SourceSettings(json_file=file)
        folder = tmp_path / f"corpus-{file.name}-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        source_of(source).read(resolve_source(source), folder / "documents.parquet", tmp_path)
        settings = FilterSettings(eval_fraction=0, **chosen)
        counts = filter_documents(folder / "documents.parquet", folder, settings)
        rows = pq.read_table(folder / Corpus.FILE).to_pylist()
        return counts, [row["text"] for row in sorted(rows, key=lambda row: str(row["path"]))]

    return make


def write(file: Path, records: Any) -> Path:
    """The records as a JSON list."""
    file.write_text(json.dumps(records), encoding="utf-8")
    return file


def test_of_equal_texts_the_first_stays(corpus_of: Made, tmp_path: Path) -> None:
    """A text that is there twice is kept once and counted once as a copy, with or without an id."""
    file = write(
        tmp_path / "x.json", [WORDS, WORDS, {"id": 1, "text": WORDS + "a"}, {"id": 1, "text": WORDS + "b"}]
    )
    counts, texts = corpus_of(file)
    assert sorted(texts) == sorted([WORDS.strip(), WORDS + "a", WORDS + "b"])
    assert counts.dropped_by_reason == {"exact_duplicate": 1}
    counts, texts = corpus_of(file, duplicates="keep")
    assert (counts.kept, len(texts)) == (4, 4)


def test_bad_records_are_counted_by_reason(corpus_of: Made, tmp_path: Path) -> None:
    """What holds no text is in the counts with its reason, and the others are kept."""
    file = write(
        tmp_path / "x.json",
        [WORDS, None, {"id": 2, "content": None}, 7, {"content": None, "text": WORDS + "x"}],
    )
    counts, texts = corpus_of(file)
    assert len(texts) == 2
    assert counts.dropped_by_reason == {"no_text": 1, "null_record": 1, "wrong_type": 1}


def test_a_title_is_the_first_line_and_front_matter_is_gone(corpus_of: Made, tmp_path: Path) -> None:
    """Front matter leaves a record's text as it leaves a file's, and the title stands on top of the rest."""
    front = "---\ntitle: T\nlayout: page\n---\n\n"
    records = [{"title": "A title", "text": front + WORDS}, {"title": "B", "text": f"{front}# B\n\n{WORDS}"}]
    _, texts = corpus_of(write(tmp_path / "x.json", records))
    assert sorted(texts) == [f"A title\n\n{WORDS.strip()}", f"B\n\n{WORDS.strip()}"]


@pytest.mark.parametrize("form", ["text", "raw"])
def test_what_was_cleaned_and_exported_is_not_cleaned_again(
    corpus_of: Made, tmp_path: Path, form: Form
) -> None:
    """Texts that were exported cleaned come back as they were, wherever the file is; raw ones are cleaned.

    Cleaning them once more would change them, and does where the file was edited.
    """
    _, texts = corpus_of(write(tmp_path / "x.json", [MARKDOWN, WORDS]), cleaning=form)
    (tmp_path / "moved").mkdir()
    exported = tmp_path / "docs_texts.json"
    made = next(tmp_path.glob("corpus-x.json-*"))
    build_dataset(made / Corpus.FILE, made / "dataset", fingerprint="k")
    export_dataset(made / "dataset", exported, form=form)
    moved = exported.rename(tmp_path / "moved" / "texts.json")
    cleaned = sorted(corpus_of(write(tmp_path / "y.json", [MARKDOWN, WORDS]))[1])
    again = sorted(corpus_of(moved)[1])
    assert again == cleaned
    assert (again == sorted(texts)) is (form == "text")
    moved.write_bytes(moved.read_bytes().rstrip())
    assert (sorted(corpus_of(moved)[1]) == cleaned) is (form == "raw")


@pytest.mark.skipif(not CASES.is_dir(), reason="no cases beside the project")
@pytest.mark.parametrize(
    ("name", "kept", "dropped"),
    [
        ("lines.json", 3, {}),
        ("null-content.json", 2, {"no_text": 1}),
        ("null-content-with-text.json", 3, {}),
        ("title-front-matter.json", 3, {}),
    ],
)
def test_the_cases_of_real_files_are_read(
    corpus_of: Made, name: str, kept: int, dropped: dict[str, int]
) -> None:
    """JSON Lines, records without a text, and titles with front matter: every text that is there is kept."""
    counts, texts = corpus_of(CASES / name)
    assert (counts.kept, counts.dropped_by_reason) == (kept, dropped)
    assert not [text for text in texts if "ms.date" in text or "layout:" in text]
    titles = {"Quotas of widgets", "Plain", "Other", "four"}
    assert all(text.split("\n")[0] in titles or text.endswith("four") for text in texts)
    assert all(text.count("Quotas of widgets") <= 1 for text in texts)


def test_an_empty_list_is_refused_before_a_run(tmp_path: Path) -> None:
    """A file without records is a user's mistake when it is pinned."""
    with pytest.raises(UserError, match="is an empty list"):
        resolve_source(SourceSettings(json_file=write(tmp_path / "x.json", [])))
