"""JSON files of texts."""

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.clone_docs.local_files import folder_documents, json_documents
from tasks.clone_docs.settings import SourceSettings
from tasks.errors import UserError


def _read(file: Path, **values: Any) -> list[tuple[str, bytes | None, str | None]]:
    found = json_documents(file, SourceSettings(json_file=file, **values))
    return [(d.path.decode("utf-8", "backslashreplace"), d.content, d.reason) for d in found]


@pytest.mark.parametrize(
    ("item", "content"),
    [
        ("plain", b"plain"),
        ({"content": "body"}, b"body"),
        ({"text": "body"}, b"body"),
        ({"content": "body", "text": "other"}, b"body"),
        ({"title": "T", "text": "body"}, b"# T\n\nbody"),
        ({"title": "T", "text": "# T\nbody"}, b"# T\nbody"),
        ({"title": "T", "text": "T\nbody"}, b"T\nbody"),
        ({"title": "", "text": "body"}, b"body"),
        ({"title": None, "text": "body", "id": None, "more": [1]}, b"body"),
        ("caf\u00e9", "café".encode()),
        ("lone \ud800", b"lone \xed\xa0\x80"),
    ],
)
def test_each_form_gives_its_text(tmp_path: Path, item: Any, content: bytes) -> None:
    """Strings and objects give their text, a title that is not yet there on top of it."""
    (tmp_path / "x.json").write_text(json.dumps([item]))
    assert [text for _, text, _ in _read(tmp_path / "x.json")] == [content]


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b'{"a": 1}', "holds an object"),
        (b'"x"', "holds a string"),
        (b"null", "holds null"),
        (b"[1]", "item 0 is a number"),
        (b'["a", null]', "item 1 is null"),
        (b'["a", true]', "item 1 is a boolean"),
        (b'["a", ["b"]]', "item 1 is a list"),
        (b'["a", {"title": "T"}]', r"item 1 has no text \(its members: title\)"),
        (b"[{}]", r"item 0 has no text \(its members: nothing\)"),
        (b'[{"text": 1}]', "item 0 has no text"),
        (b'[{"text": "a", "title": 1}]', "item 0 has a number as its title"),
        (b'[{"text": "a", "id": [1]}]', "item 0 has a list as its id"),
        (b"[", "is not JSON"),
        (b"", "is not JSON"),
        (b'["\xff"]', r"is not UTF-8 \(byte 2\)"),
        (b"[" * 200_000, "nested too deeply|is not JSON"),
    ],
)
def test_anything_else_is_named_with_its_place(tmp_path: Path, raw: bytes, told: str) -> None:
    """What is no list of texts is a user's mistake; the message says what was found, and where."""
    (tmp_path / "x.json").write_bytes(raw)
    with pytest.raises(UserError, match=told) as raised:
        _read(tmp_path / "x.json")
    assert "x.json" in str(raised.value)


def test_a_text_above_the_limit_is_counted(tmp_path: Path) -> None:
    """A text of more bytes than allowed has its size and a reason, no content."""
    (tmp_path / "x.json").write_text(json.dumps([{"id": 1, "text": "x" * 11}, {"id": 2, "text": "x" * 10}]))
    assert _read(tmp_path / "x.json", max_file_bytes=10) == [
        ("x.json#1", None, "too_large"),
        ("x.json#2", b"x" * 10, None),
    ]


def test_a_file_above_the_limit_takes_no_memory(tmp_path: Path) -> None:
    """Of a file above the limit no more than a block is in memory at a time, however large it is."""
    with (tmp_path / "huge.md").open("wb") as huge:
        huge.truncate(200_000_000)
    tracemalloc.start()
    try:
        (found,) = folder_documents(tmp_path, SourceSettings(folder=tmp_path, max_file_bytes=1_000_000))
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()
    assert (found.size, found.content, found.reason) == (200_000_000, None, "too_large")


@given(texts=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=50), max_size=8))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_what_was_exported_is_read_back(tmp_path: Path, texts: list[str]) -> None:
    """A list of strings, written as the export writes it, gives the same texts, with or without a BOM."""
    for mark in ("", "\ufeff"):
        (tmp_path / "x.json").write_text(mark + json.dumps(texts, ensure_ascii=False, indent=1), "utf-8")
        read = [content.decode() for _, content, _ in _read(tmp_path / "x.json") if content is not None]
        assert sorted(read) == sorted(texts)
