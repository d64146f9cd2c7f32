"""What is not read is counted: other kinds of documents, and other repositories within."""

from pathlib import Path
from typing import Any

import pytest

from tasks.clone_docs.joining import join_snapshots
from tasks.clone_docs.patterns import PathPatterns, unread
from tasks.clone_docs.settings import SourceSettings
from tasks.errors import UserError
from tasks.stage.target import Target
from tests.git_server import GitServer, add_commit, git, make_repository
from tests.tasks.clone_docs.conftest import Clone

FILES: dict[str, bytes | str] = {
    "a.md": "read", "b.mdx": "read", "c.markdown": "read", "drafts/d.md": "left out by a pattern of its own",
    "UPPER.MD": "one", "guide.rst": "two", "old/guide.rst": "three", "page.html": "four", "notes.txt": "five",
    "picture.png": "six", "code.py": "seven", "README": "eight",
}  # fmt: skip
UNREAD = {".rst": 2, ".html": 1, ".md": 1, ".txt": 1}


@pytest.fixture(params=["url", "checkout", "folder"])
def place(request: pytest.FixtureRequest, server: GitServer, tmp_path: Path) -> dict[str, Any]:
    """The settings that name `FILES` and two submodules, in each kind of source that has paths."""
    make_repository(server.root / "docs.git", FILES)
    git(tmp_path, "clone", "--quiet", str(server.root / "docs.git"), "here")
    commit = git(tmp_path / "here", "rev-parse", "HEAD")
    for name in ("shared", "vendor/theme"):
        git(tmp_path / "here", "update-index", "--add", "--cacheinfo", f"160000,{commit},{name}")
    git(
        tmp_path / "here",
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@b",
        "commit",
        "--quiet",
        "-m",
        "submodules",
    )
    git(tmp_path / "here", "push", "--quiet", "origin", "HEAD:main")
    return {"url": server.url("docs.git")} if request.param == "url" else {request.param: tmp_path / "here"}


def test_documents_that_match_no_pattern_are_counted(clone: Clone, place: dict[str, Any]) -> None:
    """By the ends of their names, whatever the case; what a pattern leaves out is not among them."""
    record, rows = clone(**place, exclude=["drafts/"])
    assert [row["path"] for row in rows if row["content"]] == ["a.md", "b.mdx", "c.markdown"]
    assert record.unread == UNREAD
    assert next(iter(record.unread)) == ".rst", "most first"
    assert record.submodules == (0 if "folder" in place else 2)


def test_a_source_without_documents_says_what_it_has(clone: Clone, place: dict[str, Any]) -> None:
    """Where no file matches, the message counts what looks like a document."""
    with pytest.raises(UserError, match=r"matches \*\.adoc, but it has 3 \.md, 2 \.rst, .*--source\.include"):
        clone(**place, include=["*.adoc"])


def test_what_is_read_depends_on_the_patterns() -> None:
    """A file counts where the patterns do not include it, and only if it looks like a document."""
    paths = [b"a.md", b"b.rst", b"c.py", b"d", b"\xff.html", b".md"]
    assert unread(paths, PathPatterns(SourceSettings(include=["*.md"]))) == {".html": 1, ".rst": 1}
    assert unread(paths, PathPatterns(SourceSettings(include=["*"]))) == {}


BROKEN = {
    "a file is missing": "objects/{blob}",
    "the tree is missing": "objects/{tree}",
    "the commit is missing": "objects/{commit}",
    "there is no HEAD": "HEAD",
    "the branch is gone": "refs/heads/main",
}


@pytest.mark.parametrize("kind", ["url", "file", "checkout"])
@pytest.mark.parametrize("missing", BROKEN.values(), ids=BROKEN)
def test_a_broken_repository_is_no_network_fault(
    clone: Clone, tmp_path: Path, kind: str, missing: str
) -> None:
    """Whatever it lacks and however it is named: an error of the user's, which nothing tries again."""
    folder = tmp_path / "docs"
    make_repository(folder, {"a.md": "one"})
    add_commit(folder, {"b.md": "two"})
    names = {"blob": "main:b.md", "tree": "main^{tree}", "commit": "main"}
    ids = {name: git(folder, "rev-parse", of) for name, of in names.items()}
    parts = {name: f"{sha[:2]}/{sha[2:]}" for name, sha in ids.items()}
    top = folder / ".git" if (folder / ".git").is_dir() else folder
    place = top / missing.format(**parts)
    place.unlink()
    given = {"url": {"url": str(folder)}, "file": {"url": folder.as_uri()}, "checkout": {"checkout": folder}}
    with pytest.raises(UserError):
        clone(**given[kind])


def test_a_joint_snapshot_adds_them_up(clone: Clone, server: GitServer, tmp_path: Path) -> None:
    """What is not read of the sources is not read of all."""
    parts = {}
    for name in ("one", "two"):
        make_repository(server.root / f"{name}.git", FILES)
        record, _ = clone(url=server.url(f"{name}.git"), include=["a.md"])
        parts[name] = Target(
            stage="documents", key=record.key, uri=record.uri, action="reuse", why="",
            store_url=str(tmp_path), work_dir=str(tmp_path), record=record.as_json(),
        )  # fmt: skip
    target = Target(
        stage="documents", key="j", uri=f"{(tmp_path / 'joint').as_uri()}/documents/j", action="run", why="",
        store_url=str(tmp_path / "joint"), work_dir=str(tmp_path),
    )  # fmt: skip
    joint = join_snapshots.make(target, parts)
    assert joint.unread[".rst"] == 4
    assert joint.unread[".md"] == 4
