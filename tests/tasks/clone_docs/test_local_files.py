"""JSON files of texts."""

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.clone_docs.documents import write_documents
from tasks.clone_docs.kinds import resolve_source
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
        ({"content": None, "text": "body"}, b"body"),
        ({"content": " ", "text": "body"}, b"body"),
        ({"content": 1, "text": "body"}, b"body"),
        ({"content": "body", "text": None}, b"body"),
        ({"title": 2024, "text": "body"}, b"# 2024\n\nbody"),
        ({"title": ["T"], "id": [1], "text": "body"}, b"body"),
        ({"title": "T", "text": "---\na: b\n---\nbody"}, b"---\na: b\n---\n\n# T\n\nbody"),
        ({"title": "T", "text": "---\na: b\n---\n\n# T\nbody"}, b"---\na: b\n---\n\n# T\nbody"),
        ({"title": "T", "text": "---\r\na: b\r\n---\r\nbody"}, b"---\r\na: b\r\n---\r\n\n# T\n\nbody"),
        ({"title": "T", "text": "---\na: b\n---"}, b"---\na: b\n---\n\n# T\n\n"),
        ({"title": "T", "text": "---\n\nA rule."}, b"# T\n\n---\n\nA rule."),
    ],
)
def test_each_form_gives_its_text(tmp_path: Path, item: Any, content: bytes) -> None:
    """Strings and objects give their text, a title that is not yet there on top of it."""
    (tmp_path / "x.json").write_text(json.dumps([item]))
    assert [text for _, text, _ in _read(tmp_path / "x.json")] == [content]


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b'{"a": 1}', r"the value has no text \(its members: a\)"),
        (b"null", "the value is null"),
        (b"7", "the value is a number"),
        (b"[1]", r"1 wrong_type.*item 0 is a number"),
        (b"[[1], null, {}]", r"1 no_text, 1 null_record, 1 wrong_type.*item 0 is a list"),
        (b"[{}]", r"item 0 has no text \(its members: nothing\)"),
        (b'[{"text": 1}]', "item 0 has no text"),
        (b'{"a": 1}\n{"a": 2}', r"2 no_text.*line 1 has no text"),
        (b'[\n"a",\n"b"\n', "is not JSON"),
        (b'{\n"text":\n"a",\n', "is not JSON"),
        (b"[", "is not JSON"),
        (b"", "is not JSON"),
        (b'["\xff"]', r"is not UTF-8 \(byte 2\)"),
        (b"[" * 200_000, "nested too deeply|is not JSON"),
    ],
)
def test_anything_else_is_named_with_its_place(tmp_path: Path, raw: bytes, told: str) -> None:
    """A file without one text is a user's mistake; the message says what was found, and where."""
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


A = b'{"id": 1, "text": "a"}'


@pytest.mark.parametrize(
    ("name", "raw", "rows"),
    [
        ("x.json", A + b'\n\n{"id": 2, "text": "b"}\n', {"1": b"a", "2": b"b"}),
        ("x.json", b"\xef\xbb\xbf" + A + b'\r\n{"id": 2, "text": "b"}', {"1": b"a", "2": b"b"}),
        ("x.json", A, {"1": b"a"}),
        ("x.json", A + b'\n{"id": 2, "text": "\xe2\x80\xa8"}', {"1": b"a", "2": b"\xe2\x80\xa8"}),
        ("x.json", A + b'\n"\xff"\n[]\n{', {
            "1": b"a", "line-2": "not_utf8", "line-3": "wrong_type", "line-4": "not_json",
        }),
        ("x.jsonl", b"{\n" + A, {"1": b"a", "line-1": "not_json"}),
        ("x.jsonl", b"[" + A + b"]", {"1": b"a"}),
        ("x.json", b"[null, " + A + b', 7, {"id": 3}]', {
            "1": b"a", "3": "no_text", "item-0": "null_record", "item-2": "wrong_type",
        }),
    ],
)  # fmt: skip
def test_a_bad_record_costs_no_other(tmp_path: Path, name: str, raw: bytes, rows: dict[str, Any]) -> None:
    """Of a list or of lines every text is read, and what holds none is a row with its reason."""
    (tmp_path / name).write_bytes(raw)
    found = {
        path.removeprefix(f"{name}#"): reason or content for path, content, reason in _read(tmp_path / name)
    }
    assert found == rows


_records = st.lists(
    st.one_of(
        st.sampled_from(["same", "other", "\ud800"]),
        st.fixed_dictionaries(
            {"text": st.sampled_from(["same", "a", "b"])},
            optional={"id": st.sampled_from([1, "1", "1~2", "\\xed\\xa0\\x80", "\ud800", None, 1.5])},
        ),
        st.sampled_from([None, 1, {}, {"id": 1}]),
    ),
    min_size=1,
    max_size=12,
)


@given(records=_records)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_record_is_lost_to_another(tmp_path: Path, records: list[Any]) -> None:
    """Whatever ids and texts are equal, every record is a row with a path of its own, as it is stored."""
    texts = ["x", *records]
    (tmp_path / "x.json").write_text(json.dumps(texts))
    chosen = SourceSettings(json_file=tmp_path / "x.json")
    write_documents(tmp_path / "x.parquet", json_documents(tmp_path / "x.json", chosen))
    rows = pq.read_table(tmp_path / "x.parquet").to_pylist()
    assert len({row["path"] for row in rows}) == len(rows) == len(texts)
    wanted = [
        one["text"] if isinstance(one, dict) else one for one in texts if one not in (None, 1, {}, {"id": 1})
    ]
    read = [row["content"].decode("utf-8", "surrogatepass") for row in rows if row["content"] is not None]
    assert sorted(read) == sorted(wanted)


@pytest.mark.parametrize(
    ("records", "identity"),
    [
        (["a", "b", {"id": 1, "text": "c", "title": "T"}], "json_file:x.json"),
        (["a", "a"], "json_file/2:x.json"),
        ([{"id": 1, "text": "a"}, {"id": 1, "text": "b"}], "json_file/2:x.json"),
        ([{"title": "T", "text": "---\na: b\n---\nc"}], "json_file/2:x.json"),
        ([{"content": "", "text": "c"}], "json_file/2:x.json"),
        (["a", None], "json_file:x.json"),
    ],
)
def test_what_was_misread_before_has_another_key(tmp_path: Path, records: Any, identity: str) -> None:
    """A living store is reused for the files that were read right, and for no other."""
    (tmp_path / "x.json").write_text(json.dumps(records))
    assert resolve_source(SourceSettings(json_file=tmp_path / "x.json")).identity == identity
