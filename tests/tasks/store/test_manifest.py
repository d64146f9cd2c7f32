"""Manifests: what is torn, altered or forged does not count."""

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.errors import IntegrityError
from tasks.store.manifest import Manifest, StoredFile, intact, stored_files

FILE = StoredFile(name="a/b.bin", size=3, sha256="0" * 64)
MANIFEST = Manifest(stage="corpus", key="k1", record={"key": "k1"}, files=[FILE])


def sealed(**changes: Any) -> bytes:
    """A manifest with `changes` whose own hash holds, as one who knows the format would forge it."""
    body = asdict(MANIFEST) | changes
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    return json.dumps(body | {"sha256": digest}).encode()


def test_round_trip() -> None:
    """What is dumped is loaded again."""
    assert Manifest.load(MANIFEST.dump()) == MANIFEST
    assert Manifest.load(sealed()) == MANIFEST


@given(st.data())
def test_any_altered_byte_is_seen(data: st.DataObject) -> None:
    """A manifest with one byte changed, or cut off anywhere, is refused or says the very same."""
    raw = bytearray(MANIFEST.dump())
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    for damaged in (bytes(raw), MANIFEST.dump()[:at]):
        with suppress(IntegrityError):
            assert Manifest.load(damaged) == MANIFEST  # a blank became another blank


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "a/../../x",
        "/etc/passwd",
        "a\\b",
        "manifest.json",
        "",
        ".",
        "a//b",
        "./a",
        "a/",
        "a\0b",
        7,
        None,
    ],
)
def test_names_outside_the_folder_are_refused(name: Any) -> None:
    """A forged manifest cannot name a file outside its folder, nor one file by two names."""
    with pytest.raises(IntegrityError):
        Manifest.load(sealed(files=[asdict(FILE) | {"name": name}]))


@pytest.mark.parametrize(
    "changes",
    [
        {"files": [{"name": "a"}]},
        {"files": [asdict(FILE) | {"size": -1}]},
        {"files": [asdict(FILE) | {"size": "3"}]},
        {"files": None},
        {"record": []},
        {"ancestors": {"documents": "k0"}},
        {"ancestors": ["documents"]},
        {"surprise": 1},
        {"key": "/home/me"},
        {"key": "../k1"},
        {"key": 7},
        {"stage": ""},
        {"record": {"key": "/home/me"}},
        {"record": {"key": ["k1"]}},
        {"ancestors": {"documents": {"key": "/home/me"}}},
        {"ancestors": {"documents": {"key": "a/../../.."}}},
    ],
)
def test_other_forms_are_refused(changes: dict[str, Any]) -> None:
    """A manifest of another form is an integrity error, not a crash."""
    with pytest.raises(IntegrityError):
        Manifest.load(sealed(**changes))


@pytest.mark.parametrize("raw", [b"", b"null", b"[]", b"{}", b'{"sha256": 1}', b"\xff", b"[" * 100_000])
def test_what_is_no_manifest_is_refused(raw: bytes) -> None:
    """Bytes that are no manifest at all are an integrity error, deep nesting included."""
    with pytest.raises(IntegrityError):
        Manifest.load(raw)


def test_a_folder_is_intact_by_every_byte(tmp_path: Path) -> None:
    """A missing, longer or altered file is seen; the folder's own manifest is not one of its files."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a").write_bytes(b"abc")
    (tmp_path / "manifest.json").write_bytes(b"{}")
    files = stored_files(tmp_path)
    assert [file.name for file in files] == ["sub/a"]
    assert intact(tmp_path, files)
    for content in (b"abd", b"abcd"):
        (tmp_path / "sub" / "a").write_bytes(content)
        assert not intact(tmp_path, files)
    (tmp_path / "sub" / "a").unlink()
    assert not intact(tmp_path, files)
