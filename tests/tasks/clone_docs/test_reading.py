"""Each kind of source is read into the same rows, and what cannot be read is explained."""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tasks.clone_docs.kinds import resolve_source
from tasks.clone_docs.settings import SourceSettings
from tasks.errors import NetworkError, UserError
from tests.git_server import GitServer, git, make_repository
from tests.tasks.clone_docs.conftest import Clone
from tests.waiting import until

DOCS: dict[str, bytes | str] = {
    "README.md": "# Read me",
    "docs/a.md": "one",
    "docs/large.md": "x" * 5_000,
    "docs/old/b.md": "two",
    "docs/picture.png": b"\x89PNG",
    "LICENSE": "Creative Commons Attribution 4.0 International",
    "LICENSE-CODE": "Permission is hereby granted, free of charge, to any person\nobtaining a copy",
}


def _paths(rows: list[dict[str, Any]]) -> list[str]:
    return [row["path"] for row in rows]


@pytest.mark.parametrize("fetch", ["partial", "shallow", "full"])
@pytest.mark.parametrize("transport", ["http", "no filter", "version 0", "path", "file"])
def test_every_way_brings_the_same_documents(
    server: GitServer, clone: Clone, fetch: str, transport: str
) -> None:
    """Whatever transport and fetch, and whatever the server allows, the documents are the same."""
    repository = server.root / "docs.git"
    commit = make_repository(repository, {"docs/a.md": "old"}, DOCS)
    server.allow_filter = transport != "no filter"
    server.protocol_2 = transport != "version 0"
    urls = {"path": str(repository), "file": repository.as_uri()}
    url = urls.get(transport, server.url("docs.git"))
    record, rows = clone(url=url, fetch=fetch, exclude=["old/"], max_file_bytes=1_000)
    assert [(row["path"], row["content"], row["size"], row["reason"]) for row in rows] == [
        ("README.md", b"# Read me", 9, None),
        ("docs/a.md", b"one", 3, None),
        ("docs/large.md", None, 5_000, "too_large"),
        ("docs/old/b.md", None, None, "excluded_path"),
    ]
    assert rows[1]["blob_sha"] == git(repository, "rev-parse", "main:docs/a.md")
    assert (record.found, record.read, record.bytes_read) == (4, 2, 12)
    assert record.licenses == ["CC-BY-4.0", "MIT"]
    assert record.commit_sha == commit


def test_a_bare_commit_and_a_tag_are_fetched(server: GitServer, clone: Clone) -> None:
    """An older commit by its 40 digits, and an annotated tag, bring the files of that commit."""
    repository = server.root / "docs.git"
    first = make_repository(repository, {"a.md": "one"})
    git(repository, "tag", "-a", "-m", "x", "v1", first)
    make_repository(server.root / "other.git", {"a.md": "zero"})
    git(repository, "fetch", "--quiet", "../other.git", "+main:main")
    for ref in (first, "v1"):
        assert clone(url=server.url("docs.git"), ref=ref)[1][0]["content"] == b"one"


def test_a_commit_that_the_server_does_not_give_is_explained(server: GitServer, clone: Clone) -> None:
    """A commit that does not exist, or that an old server keeps to itself, is a user's mistake."""
    repository = server.root / "docs.git"
    make_repository(repository, DOCS, {"docs/a.md": "new"})
    old = git(repository, "rev-parse", "main~1")
    with pytest.raises(UserError, match="does not hand out this commit"):
        clone(url=server.url("docs.git"), ref="ab" * 20)
    with pytest.raises(UserError, match="is no commit"):
        clone(url=server.url("docs.git"), ref=git(repository, "rev-parse", "main:docs/a.md"))
    server.protocol_2 = False
    with pytest.raises(UserError, match="does not hand out this commit"):
        clone(url=server.url("docs.git"), ref=old)


def test_sha256_repositories_work(server: GitServer, clone: Clone) -> None:
    """A repository with 64-digit ids is cloned like any other."""
    repository = server.root / "docs.git"
    repository.mkdir()
    git(repository, "init", "--bare", "--quiet", "-b", "main", "--object-format=sha256")
    blob = git(repository, "hash-object", "-w", "--stdin", stdin=b"text")
    tree = git(repository, "mktree", stdin=f"100644 blob {blob}\ta.md\n".encode())
    git(repository, "update-ref", "refs/heads/main", git(repository, "commit-tree", "-m", "x", tree))
    record, rows = clone(url=server.url("docs.git"))
    assert len(record.commit_sha) == 64
    assert (rows[0]["blob_sha"], rows[0]["content"]) == (blob, b"text")


def test_a_checkout_is_read_from_its_commits(server: GitServer, clone: Clone, tmp_path: Path) -> None:
    """A checkout gives the files of its commit; an edit that is not committed does not count."""
    make_repository(server.root / "docs.git", DOCS)
    git(tmp_path, "clone", "--quiet", str(server.root / "docs.git"), "work")
    (tmp_path / "work" / "docs" / "a.md").write_text("edited")
    record, rows = clone(checkout=tmp_path / "work")
    assert _paths(rows) == ["README.md", "docs/a.md", "docs/large.md", "docs/old/b.md"]
    assert rows[1]["content"] == b"one"
    assert record.licenses == ["CC-BY-4.0", "MIT"]
    assert record.source == "work"


def test_a_partial_checkout_is_explained(server: GitServer, clone: Clone, tmp_path: Path) -> None:
    """A checkout without its blobs is not filled over the network, but reported."""
    make_repository(server.root / "docs.git", DOCS)
    url = server.url("docs.git")
    git(tmp_path, "clone", "--quiet", "--bare", "--filter=blob:none", url, "partial")
    server.forget()
    with pytest.raises(UserError, match=r"give its URL with --source\.url"):
        clone(checkout=tmp_path / "partial")
    assert not server.requests


def test_a_replaced_object_does_not_count(server: GitServer, clone: Clone, tmp_path: Path) -> None:
    """A checkout that swaps a commit for another by `git replace` gives the files of the one it names."""
    commit = make_repository(server.root / "docs.git", {"a.md": "one"})
    other = make_repository(server.root / "other.git", {"a.md": "another"})
    git(server.root / "docs.git", "fetch", "--quiet", "../other.git", "main")
    git(server.root / "docs.git", "replace", commit, other)
    record, rows = clone(checkout=server.root / "docs.git")
    assert (record.commit_sha, rows[0]["content"]) == (commit, b"one")


def test_a_folder_is_read_as_it_lies(clone: Clone, tmp_path: Path) -> None:
    """A folder's files come with the ids that Git would give them; links out of it are counted, not read."""
    folder = tmp_path / "docs"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.md").write_text("one")
    (folder / "large.md").write_text("x" * 5_000)
    (folder / "sub" / "b.md").write_text("two")
    (folder / "link.md").symlink_to("/etc/passwd")
    (tmp_path / "docs" / os.fsdecode(b"\xff.md")).write_bytes(b"\xff")
    record, rows = clone(folder=folder, max_file_bytes=1_000)
    assert [(row["path"], row["content"], row["reason"]) for row in rows] == [
        ("a.md", b"one", None),
        ("large.md", None, "too_large"),
        ("link.md", None, "not_regular_file"),
        ("sub/b.md", b"two", None),
        ("\\xff.md", b"\xff", None),
    ]
    assert rows[0]["blob_sha"] == git(tmp_path, "hash-object", "docs/a.md")
    assert (record.found, record.read) == (5, 3)
    assert record.licenses == []
    assert _paths(clone(folder=folder, recursive=False)[1]) == ["a.md", "large.md", "link.md", "\\xff.md"]


def test_a_folder_that_changes_meanwhile_is_not_stored(clone: Clone, tmp_path: Path) -> None:
    """What was resolved is what is stored: a file that changed in between stops the run."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("one")
    file = tmp_path / "docs.json"
    file.write_text('["one"]')
    folder_source = resolve_source(SourceSettings(folder=tmp_path / "docs"))
    file_source = resolve_source(SourceSettings(json_file=file))
    (tmp_path / "docs" / "a.md").write_text("two")
    file.write_text('["two"]')
    with pytest.raises(UserError, match="changed while it was read"):
        clone(folder_source, folder=tmp_path / "docs")
    with pytest.raises(UserError, match="changed while it was read"):
        clone(file_source, json_file=file)


def test_a_json_file_becomes_documents(clone: Clone, tmp_path: Path) -> None:
    """Strings are named by their digest and objects by their id, whatever the path patterns."""
    file = tmp_path / "texts.json"
    file.write_text(json.dumps(["one", {"id": 7, "title": "T", "content": "two"}]))
    record, rows = clone(json_file=file, include=["nothing"])
    assert [(row["path"], row["content"]) for row in rows] == [
        ("texts.json#7", b"# T\n\ntwo"),
        ("texts.json#7692c3ad3540", b"one"),
    ]
    assert (record.found, record.read, record.source) == (2, 2, "texts.json")


def test_no_match_is_explained(server: GitServer, clone: Clone, tmp_path: Path) -> None:
    """Where no file matches, the message has the patterns and how many files there are."""
    make_repository(server.root / "docs.git", DOCS)
    with pytest.raises(UserError, match=r"none of its 7 files matches \*\.rst, \*\.adoc"):
        clone(url=server.url("docs.git"), include=["*.rst", "*.adoc"])
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.txt").write_text("x")
    with pytest.raises(UserError, match=r"none of its 1 files matches"):
        clone(folder=tmp_path / "docs")
    (tmp_path / "empty.json").write_text("[]")
    with pytest.raises(UserError, match="empty list"):
        clone(json_file=tmp_path / "empty.json")
    assert not list((tmp_path / "store").glob("documents/*/manifest.json"))


def test_a_broken_line_is_a_network_fault(server: GitServer, clone: Clone) -> None:
    """A connection that is cut in the middle of a pack can be tried again."""
    make_repository(server.root / "docs.git", {f"{n}.md": os.urandom(4_000) for n in range(20)})
    server.cut_after, server.cut_from_request = 10_000, 1
    with pytest.raises(NetworkError):
        clone(url=server.url("docs.git"), fetch="shallow")


def test_a_transfer_that_stands_still_ends(
    server: GitServer, clone: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that takes a request and never answers is a network fault, over the web and in general.

    Nothing of Git goes on waiting for it then.
    """
    make_repository(server.root / "docs.git", DOCS)
    source = resolve_source(SourceSettings(url=server.url("docs.git")))
    server.stall = True
    monkeypatch.setattr("tasks.clone_docs.git.access.STALL_SECONDS", 1)
    with pytest.raises(NetworkError):
        clone(source, url=server.url("docs.git"))
    monkeypatch.setattr("tasks.clone_docs.git.access.STALL_SECONDS", 600)
    monkeypatch.setattr("tasks.clone_docs.git.command.SILENCE_SECONDS", 1)
    with pytest.raises(NetworkError, match="stood still for 1 s"):
        clone(source, url=server.url("docs.git"))
    until(lambda: not _asking(server))


def _asking(server: GitServer) -> list[bytes]:
    """The command lines of all processes that were told the server's address."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found += [line for line in (entry.read_bytes(),) if f"127.0.0.1:{server.port}/".encode() in line]
    return found
