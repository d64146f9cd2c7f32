"""A snapshot's file becomes a corpus, with every document accounted for."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.errors import UserError
from tasks.filter_markdown import corpus as stage
from tasks.filter_markdown.corpus import FilterCounts, filter_documents
from tasks.filter_markdown.rows import CORPUS_SCHEMA
from tasks.filter_markdown.settings import FilterSettings

SNAPSHOT_SCHEMA = pa.schema(
    [
        ("path", pa.string()),
        ("blob_sha", pa.string()),
        ("size", pa.int64()),
        ("content", pa.large_binary()),
        ("reason", pa.string()),
    ]
)
SETTINGS = FilterSettings(min_chars=20)


def prose(number: int) -> bytes:
    """A document that is kept."""
    return (
        f"# Title {number}\n\nA [link](target.md) in sentence {number}.\n\n```\nrun {number}\n```\n".encode()
    )


def snapshot(folder: Path, contents: dict[str, bytes | None], reason: str = "too_large") -> Path:
    """A snapshot's `documents.parquet`; None is a file that was not read, for `reason`."""
    rows = [
        {
            "path": path,
            "blob_sha": f"{number:040x}",
            "size": len(content or b""),
            "content": content,
            "reason": reason if content is None else None,
        }
        for number, (path, content) in enumerate(contents.items())
    ]
    target = folder / "documents.parquet"
    pq.write_table(pa.Table.from_pylist(rows, SNAPSHOT_SCHEMA), target, row_group_size=7)
    return target


def run(
    folder: Path, documents: Path, settings: FilterSettings, **options: Any
) -> tuple[FilterCounts, list[Any]]:
    """The counts and the corpus's rows."""
    target = folder / "out"
    target.mkdir(exist_ok=True)
    counts = filter_documents(documents, target, settings, **options)
    return counts, pq.read_table(target / "corpus.parquet").to_pylist()


MIXED: dict[str, bytes | None] = {
    **{f"docs/{number:03}.md": prose(number) for number in range(40)},
    "copy.md": prose(3) + b"\n\n",
    "latin.md": b"caf\xe9" * 30,
    "short.md": b"# Short\n",
    "large.md": None,
}


def test_every_document_is_kept_or_counted(tmp_path: Path) -> None:
    """Kept and dropped documents add up to those found, and each dropped one has one reason."""
    counts, rows = run(tmp_path, snapshot(tmp_path, MIXED), SETTINGS)
    dropped = pq.read_table(tmp_path / "out" / "dropped.parquet").to_pylist()
    assert counts.found == len(MIXED) == counts.kept + sum(counts.dropped_by_reason.values())
    assert counts.dropped_by_reason == {"exact_duplicate": 1, "not_utf8": 1, "too_large": 1, "too_short": 1}
    assert {row["path"]: row["reason"] for row in dropped} == {
        "docs/003.md": "exact_duplicate",
        "large.md": "too_large",
        "latin.md": "not_utf8",
        "short.md": "too_short",
    }
    assert {row["path"] for row in rows} == set(MIXED) - {row["path"] for row in dropped}
    assert counts.characters == sum(len(row["text"]) for row in rows)
    assert counts.eval_documents == sum(row["split"] == "eval" for row in rows) > 0
    written = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert written == ["corpus.parquet", "dropped.parquet", "look.json"]


def test_rows_say_what_they_are(tmp_path: Path) -> None:
    """A row has its text without markup, its path and blob, and where its code stands."""
    _, rows = run(tmp_path, snapshot(tmp_path, MIXED), SETTINGS)
    assert pq.read_schema(tmp_path / "out" / "corpus.parquet").equals(CORPUS_SCHEMA)
    row = rows[0]
    assert row["text"] == "Title 0\n\nA link in sentence 0.\n\nrun 0"
    assert (row["path"], row["blob_sha"]) == ("docs/000.md", "0" * 40)
    assert [row["text"][span["start"] : span["end"]] for span in row["code_spans"]] == ["run 0"]
    assert (row["title"], row["description"]) == ("Title 0", "")
    assert [row["text"][one["start"] : one["end"]] for one in row["headings"]] == ["Title 0"]
    assert [(row["text"][one["start"] : one["end"]], one["target"]) for one in row["links"]] == [
        ("link", "target.md")
    ]


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    """Twice the same, alone or in two processes: nothing of the machine or the moment is in the files."""
    written = []
    for name, workers in (("one", 1), ("two", 1), ("three", 2)):
        folder = tmp_path / name
        folder.mkdir()
        run(folder, snapshot(folder, MIXED), SETTINGS, workers=workers)
        written.append(
            [
                (folder / "out" / file).read_bytes()
                for file in ("corpus.parquet", "dropped.parquet", "look.json")
            ]
        )
    assert written[0] == written[1] == written[2]


def test_raw_keeps_what_the_notebook_kept(tmp_path: Path) -> None:
    """The raw level with all duplicates keeps exactly the texts of more than 200 characters, unchanged."""
    contents: dict[str, bytes | None] = {f"{size}.md": "é".encode() * size for size in range(190, 211)}
    contents["copy.md"] = contents["205.md"]
    settings = FilterSettings(cleaning="raw", duplicates="keep", eval_fraction=0)
    counts, rows = run(tmp_path, snapshot(tmp_path, contents), settings)
    expected = {path: (content or b"").decode() for path, content in contents.items()}
    assert {row["path"]: row["text"] for row in rows} == {p: t for p, t in expected.items() if len(t) > 200}
    assert counts.eval_documents == 0


def test_near_duplicates_are_counted_apart(tmp_path: Path) -> None:
    """A text that resembles an earlier one is dropped as a near duplicate when that is asked for."""
    words = " ".join(f"word{number}" for number in range(300))
    contents: dict[str, bytes | None] = {
        "a.md": words.encode(),
        "b.md": f"{words} and a little more".encode(),
        "c.md": words.upper().encode(),
        "d.md": b"Something else entirely, in many other words.",
    }
    counts, rows = run(
        tmp_path, snapshot(tmp_path, contents), FilterSettings(min_chars=20, duplicates="near")
    )
    assert counts.dropped_by_reason == {"near_duplicate": 2}
    assert [row["path"] for row in rows] == ["a.md", "d.md"]


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ({"a.md": b"short", "b.md": b"\xff" * 99, "c.md": None}, "1 not_utf8, 1 too_large, 1 too_short"),
        ({}, "source.include"),
        ({"a.md": prose(1)}, "filter.eval_fraction=0"),
    ],
)
def test_too_little_is_a_users_error(tmp_path: Path, contents: dict[str, bytes | None], message: str) -> None:
    """Everything filtered out, nothing found, or one text for two sides: a message that says what to do."""
    with pytest.raises(UserError, match=message):
        run(tmp_path, snapshot(tmp_path, contents), SETTINGS)


def test_small_repositories_start_no_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pool is only for as many documents as repay its start, and has a process a core."""
    used = []
    monkeypatch.setattr(stage, "usable_cores", lambda: 4)
    monkeypatch.setattr(stage, "DOCUMENTS_FOR_A_POOL", 2)
    monkeypatch.setattr(stage, "judge_all", lambda rows, _, *, workers: used.append(workers) or ())
    for count in (1, 2):
        rows = [
            {"path": str(n), "blob_sha": "0", "size": 1, "content": b"a", "reason": None}
            for n in range(count)
        ]
        pq.write_table(pa.Table.from_pylist(rows, SNAPSHOT_SCHEMA), tmp_path / "documents.parquet")
        with pytest.raises(UserError):
            filter_documents(tmp_path / "documents.parquet", tmp_path, FilterSettings())
    assert used == [1, 4]
