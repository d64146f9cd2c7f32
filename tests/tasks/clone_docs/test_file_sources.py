"""Sources without Git are pinned to their bytes."""

import json
from pathlib import Path

import pytest

from tasks.clone_docs.kinds import resolve_source
from tasks.clone_docs.settings import SourceSettings
from tasks.errors import UserError


def test_folders_and_files_are_pinned_by_content(tmp_path: Path) -> None:
    """A folder and a JSON file resolve to a digest that follows their content, and no path of the machine."""
    (tmp_path / "a.md").write_text("a")
    file = tmp_path / "docs.json"
    file.write_text(json.dumps(["a"]))
    folder = resolve_source(SourceSettings(folder=tmp_path))
    texts = resolve_source(SourceSettings(json_file=file))
    assert folder.commit_sha.startswith("sha256:")
    assert texts.commit_sha.startswith("sha256:")
    assert (folder.identity, texts.identity) == ("folder", "json_file:docs.json")
    file.write_text(json.dumps(["b"]))
    (tmp_path / "a.md").write_text("b")
    assert resolve_source(SourceSettings(folder=tmp_path)).commit_sha != folder.commit_sha
    assert resolve_source(SourceSettings(json_file=file)).commit_sha != texts.commit_sha


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    """A missing folder or file is named, and no source at all gets the ways to give one."""
    with pytest.raises(UserError, match="nothing is no folder"):
        resolve_source(SourceSettings(folder=tmp_path / "nothing"))
    with pytest.raises(UserError, match="is no file"):
        resolve_source(SourceSettings(json_file=tmp_path))
    with pytest.raises(UserError, match=r"--source\.url URL"):
        resolve_source(SourceSettings())
