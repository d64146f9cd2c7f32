"""Which documents are read, and how they are fetched."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tasks.clone_docs.kinds import resolve_source
from tasks.clone_docs.settings import SourceSettings
from tasks.errors import UserError
from tests.git_server import GitServer, add_commit, git, make_repository
from tests.tasks.clone_docs.conftest import Clone

FILES: dict[str, bytes | str] = {
    "a.md": "12345",
    "b.txt": "123456",
    "docs/c.md": "1234567",
    "docs/old/d.md": "12345678",
    "picture.png": "not a text",
}


def read(rows: list[dict[str, Any]]) -> list[str]:
    """The paths of what was read."""
    return [row["path"] for row in rows if row["content"] is not None]


@pytest.fixture(params=["url", "checkout", "folder"])
def place(request: pytest.FixtureRequest, server: GitServer, tmp_path: Path) -> dict[str, Any]:
    """The settings that name `FILES`, in each kind of source that has paths."""
    make_repository(server.root / "docs.git", FILES)
    if request.param == "url":
        return {"url": server.url("docs.git")}
    git(tmp_path, "clone", "--quiet", str(server.root / "docs.git"), "here")
    return {request.param: tmp_path / "here"}


@pytest.mark.setting("source.url")
@pytest.mark.parametrize("name", ["one", "other"])
def test_the_repository_is_the_one_named(server: GitServer, clone: Clone, name: str) -> None:
    """Of two repositories the documents are those of the one at the URL."""
    commits = {
        one: make_repository(server.root / f"{one}.git", {f"{one}.md": one}) for one in ("one", "other")
    }
    record, rows = clone(url=server.url(f"{name}.git"))
    assert read(rows) == [f"{name}.md"]
    assert record.commit_sha == commits[name]


@pytest.mark.setting("source.ref", "source.checkout")
@pytest.mark.parametrize("kind", ["url", "checkout"])
@pytest.mark.parametrize("ref", [None, "main", "next", "v1"])
def test_the_commit_is_that_of_the_ref(
    server: GitServer, clone: Clone, tmp_path: Path, kind: str, ref: str | None
) -> None:
    """A branch or tag gives the files of its commit, and none those of the default branch."""
    repository = server.root / "docs.git"
    commits = {"v1": make_repository(repository, {"a.md": "v1"})}
    git(repository, "tag", "v1")
    commits["next"] = add_commit(repository, {"a.md": "next"}, branch="next")
    commits["main"] = commits[None] = add_commit(repository, {"a.md": "main"})
    git(tmp_path, "clone", "--quiet", str(repository), "here")
    git(tmp_path / "here", "branch", "--quiet", "next", "origin/next")
    where = {"url": server.url("docs.git")} if kind == "url" else {"checkout": tmp_path / "here"}
    record, rows = clone(ref=ref, **where)
    assert rows[0]["content"].decode() == (ref or "main")
    assert record.commit_sha == commits[ref]


@pytest.mark.setting("source.folder")
@pytest.mark.parametrize("name", ["one", "other"])
def test_the_folder_is_the_one_named(clone: Clone, tmp_path: Path, name: str) -> None:
    """Of two folders the documents are those of the one named, as they lie there."""
    for one in ("one", "other"):
        (tmp_path / one).mkdir()
        (tmp_path / one / f"{one}.md").write_text(one)
    _, rows = clone(folder=tmp_path / name)
    assert [(row["path"], row["content"]) for row in rows] == [(f"{name}.md", name.encode())]


@pytest.mark.setting("source.json_file")
@pytest.mark.parametrize("name", ["one", "other"])
def test_the_json_file_is_the_one_named(clone: Clone, tmp_path: Path, name: str) -> None:
    """Of two files the texts are those of the one named."""
    for one in ("one", "other"):
        (tmp_path / f"{one}.json").write_text(json.dumps([{"id": 1, "text": one}]))
    _, rows = clone(json_file=tmp_path / f"{name}.json")
    assert [(row["path"], row["content"]) for row in rows] == [(f"{name}.json#1", name.encode())]


@pytest.mark.setting("source.recursive")
@pytest.mark.parametrize(
    ("recursive", "paths"), [(True, ["a.md", "docs/c.md", "docs/old/d.md"]), (False, ["a.md"])]
)
def test_subfolders_are_read_if_asked(
    clone: Clone, tmp_path: Path, recursive: bool, paths: list[str]
) -> None:
    """With it all levels are read, without it the top alone."""
    for name, text in FILES.items():
        (tmp_path / "here" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "here" / name).write_text(str(text))
    assert read(clone(folder=tmp_path / "here", recursive=recursive)[1]) == paths


@pytest.mark.setting("source.include")
@pytest.mark.parametrize(
    ("include", "paths"),
    [
        (["**/*.md"], ["a.md", "docs/c.md", "docs/old/d.md"]),
        (["*.txt", "docs/*.md"], ["b.txt", "docs/c.md"]),
    ],
)
def test_what_is_included_is_read(
    place: dict[str, Any], clone: Clone, include: list[str], paths: list[str]
) -> None:
    """The paths that match a pattern are read, and nothing else is even counted."""
    record, rows = clone(include=include, **place)
    assert read(rows) == paths
    assert record.found == len(paths)


@pytest.mark.setting("source.exclude")
@pytest.mark.parametrize(
    ("exclude", "paths"),
    [
        ([], ["a.md", "docs/c.md", "docs/old/d.md"]),
        (["old/"], ["a.md", "docs/c.md"]),
        (["/docs"], ["a.md"]),
    ],
)
def test_what_is_excluded_is_counted_and_not_read(
    place: dict[str, Any], clone: Clone, exclude: list[str], paths: list[str]
) -> None:
    """The paths that match a pattern are left out, with the reason said."""
    record, rows = clone(exclude=exclude, **place)
    assert read(rows) == paths
    assert [row["reason"] for row in rows if row["content"] is None] == ["excluded_path"] * (3 - len(paths))
    assert record.found == 3


@pytest.mark.setting("source.max_file_bytes")
@pytest.mark.parametrize(
    ("most", "paths"),
    [(5, ["a.md"]), (7, ["a.md", "docs/c.md"]), (8, ["a.md", "docs/c.md", "docs/old/d.md"])],
)
def test_larger_files_are_counted_and_not_read(
    place: dict[str, Any], clone: Clone, most: int, paths: list[str]
) -> None:
    """A file of just so many bytes is read; one of more is not, with the reason said."""
    _, rows = clone(max_file_bytes=most, **place)
    assert read(rows) == paths
    assert [row["reason"] for row in rows if row["content"] is None] == ["too_large"] * (3 - len(paths))


@pytest.mark.setting("source.max_file_bytes", "source.json_file")
def test_larger_texts_of_a_json_file_are_not_read(clone: Clone, tmp_path: Path) -> None:
    """The limit holds for the texts of a JSON file too."""
    (tmp_path / "texts.json").write_text(json.dumps([{"id": size, "text": "x" * size} for size in (4, 5, 6)]))
    assert read(clone(json_file=tmp_path / "texts.json", max_file_bytes=5)[1]) == [
        "texts.json#4",
        "texts.json#5",
    ]


@pytest.mark.setting("source.fetch")
def test_so_much_is_fetched(server: GitServer, clone: Clone, tmp_path: Path) -> None:
    """`partial` fetches the documents, `shallow` the whole commit, `full` the history; the result is one."""
    repository = server.root / "docs.git"
    make_repository(repository, {"a.md": "the old text"}, FILES)
    blobs = {
        name: git(repository, "rev-parse", place)
        for name, place in (("document", "main:a.md"), ("other", "main:picture.png"), ("old", "main~1:a.md"))
    }
    found, results = {}, []
    for fetch in ("partial", "shallow", "full"):
        before = set((tmp_path / "work" / "clones").glob("*.git"))
        results.append(clone(url=server.url("docs.git"), fetch=fetch)[1])
        (made,) = set((tmp_path / "work" / "clones").glob("*.git")) - before
        there = git(made, "cat-file", "--batch-all-objects", "--batch-check=%(objectname)").split()
        found[fetch] = {name for name, blob in blobs.items() if blob in there}
    assert found == {
        "partial": {"document"},
        "shallow": {"document", "other"},
        "full": {"document", "other", "old"},
    }
    assert results[0] == results[1] == results[2]


@pytest.mark.setting("source.credentials_block")
def test_the_token_is_that_of_the_block(
    server: GitServer, clone: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server is shown the token of the block that is named, and else none; the commit is the same."""
    from prefect.blocks.system import Secret

    tokens = {"right": "s3cret", "wrong": "guessed"}
    monkeypatch.setattr(Secret, "load", lambda name, **_: SimpleNamespace(get=lambda: tokens[name]))
    monkeypatch.delenv("GIT_TOKEN", raising=False)
    commit = make_repository(server.root / "docs.git", FILES)
    url = server.url("docs.git")
    open_record, open_rows = clone(url=url)
    assert {request.authorization for request in server.requests} == {None}
    server.user, server.password = "x-access-token", tokens["right"]
    for block in ("wrong", None):
        with pytest.raises(UserError, match="refuses access"):
            resolve_source(SourceSettings(url=url, credentials_block=block))
    record, rows = clone(url=url, credentials_block="right")
    assert record.commit_sha == open_record.commit_sha == commit
    assert rows == open_rows
