"""The stage from end to end: the four sources, credentials, and bad input."""

import base64
import errno
import json
import logging
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tasks.clone_docs.git.access import remote_access
from tasks.clone_docs.git.urls import parse_address
from tasks.clone_docs.kinds import resolve_source
from tasks.clone_docs.settings import SourceSettings
from tasks.errors import NetworkError, StoreError, UserError
from tests.git_server import GitServer, git, make_repository
from tests.tasks.clone_docs.conftest import Clone

BUNDLE = Path(__file__).parents[4] / "shared" / "data" / "azure-management-docs.bundle"
SECRET = "s3cr3t-t0ken/with+signs"
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


def _everything_kept(folder: Path) -> bytes:
    return b"".join(p.read_bytes() + os.fsencode(p) for p in folder.rglob("*") if p.is_file())


@pytest.mark.parametrize("way", ["environment", "URL"])
def test_a_password_opens_a_private_repository_and_stays_secret(
    server: GitServer,
    clone: Clone,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    way: str,
) -> None:
    """The right secret is used, and is in no file, record, log line or name, nor its encodings.

    Git would tell a helper of the user's own what worked, for it to keep: none is told.
    """
    caplog.set_level(logging.DEBUG)
    config = tmp_path / "gitconfig"
    config.write_text(f'[credential]\nhelper = "!f() {{ cat >> {tmp_path}/told; }}; f"\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    make_repository(server.root / "docs.git", DOCS)
    server.user, server.password = "someone", SECRET
    url = server.url("docs.git")
    if way == "environment":
        monkeypatch.setenv("GIT_TOKEN", SECRET)
        monkeypatch.setenv("GIT_USERNAME", "someone")
    else:
        url = url.replace("http://", f"http://someone:{quote(SECRET, safe='')}@")
    record, _ = clone(url=url)
    assert record.found == 4
    basic = base64.b64encode(f"someone:{SECRET}".encode()).decode()
    assert any(request.authorization for request in server.requests)
    said = caplog.text + json.dumps(record.as_json())
    kept = _everything_kept(tmp_path / "work") + _everything_kept(tmp_path / "store")
    for form in (SECRET, quote(SECRET, safe=""), basic):
        assert form not in said
        assert form.encode() not in kept
    assert not (tmp_path / "told").exists()


def test_a_wrong_or_missing_password_is_a_users_mistake(
    server: GitServer, clone: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing asks for a password; the message says where to put one, and never has the wrong one in it."""
    asker = tmp_path / "askpass"
    asker.write_text(f"#!/bin/sh\ntouch {tmp_path}/asked\n")
    asker.chmod(0o755)
    monkeypatch.setenv("GIT_ASKPASS", str(asker))
    monkeypatch.setenv("SSH_ASKPASS", str(asker))
    make_repository(server.root / "docs.git", DOCS)
    server.user, server.password = "someone", "right"
    with pytest.raises(UserError, match="GIT_TOKEN") as missing:
        clone(url=server.url("docs.git"))
    monkeypatch.setenv("GIT_TOKEN", SECRET)
    with pytest.raises(UserError, match="GIT_TOKEN") as wrong:
        clone(url=server.url("docs.git"))
    chain: list[BaseException] = [missing.value, wrong.value]
    for error in chain:
        while error is not None:
            assert SECRET not in f"{error!r}{error.__notes__ if hasattr(error, '__notes__') else ''}"
            error = error.__cause__ or error.__context__  # type: ignore[assignment]
    assert not (tmp_path / "asked").exists()


def test_a_redirect_does_not_take_the_password_along(
    server: GitServer, clone: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that sends us on to another host does not send our token there."""
    make_repository(server.root / "docs.git", DOCS)
    monkeypatch.setenv("GIT_TOKEN", SECRET)
    server.user, server.password = "someone", "else"
    away = GitServer(tmp_path / "served", redirect_to=server.url("").rstrip("/"))
    with away, pytest.raises(UserError):
        clone(url=away.url("docs.git"))
    assert server.requests
    assert not any(request.authorization for request in server.requests)


def test_a_token_goes_over_no_unencrypted_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over plain http a token leaves this machine for nowhere, and a password in such a URL is refused."""
    monkeypatch.setenv("GIT_TOKEN", SECRET)
    access = remote_access(parse_address("http://example.com/a"), SourceSettings())
    assert SECRET not in str(access.environment)
    with pytest.raises(UserError, match="unencrypted"):
        remote_access(parse_address("http://u:p@example.com/a"), SourceSettings())
    monkeypatch.setenv("GIT_TOKEN", "a\nhost=evil")
    with pytest.raises(UserError, match="line feed") as raised:
        remote_access(parse_address("https://example.com/a"), SourceSettings())
    assert "evil" not in str(raised.value)


def test_no_hook_or_template_of_the_user_runs(
    server: GitServer, clone: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hooks and templates in the user's Git configuration have no part in a clone."""
    template = tmp_path / "template" / "hooks"
    template.mkdir(parents=True)
    for name in ("reference-transaction", "post-checkout", "pre-auto-gc"):
        (template / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
        (template / name).chmod(0o755)
    (template.parent / "from-template").touch()
    config = tmp_path / "gitconfig"
    config.write_text(f"[init]\ntemplateDir={template.parent}\n[core]\nhooksPath={template}\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    make_repository(server.root / "docs.git", DOCS)
    clone(url=server.url("docs.git"))
    assert not (tmp_path / "ran").exists()
    assert not list((tmp_path / "work").rglob("from-template"))


def test_nothing_that_a_checkout_brings_along_runs(clone: Clone, tmp_path: Path) -> None:
    """Hooks, filters, monitors and submodules of a checkout, in tree or configuration, do nothing."""
    attributes = "*.md filter=evil diff=evil merge=evil\n"
    modules = f'[submodule "evil"]\npath = evil\nurl = ext::sh -c touch% {tmp_path}/ran\n'
    make_repository(
        tmp_path / "docs.git", {"a.md": "one", ".gitattributes": attributes, ".gitmodules": modules}
    )
    git(tmp_path, "clone", "--quiet", "docs.git", "work-tree")
    checkout, evil = tmp_path / "work-tree", f"touch {tmp_path}/ran; cat"
    settings = (
        *("filter.evil.smudge", "filter.evil.clean", "filter.evil.process", "diff.evil.textconv"),
        *("diff.evil.command", "core.fsmonitor", "core.pager", "core.sshCommand", "core.askPass"),
        *("core.alternateRefsCommand", "credential.helper", "uploadpack.packObjectsHook"),
    )
    for name in settings:
        git(checkout, "config", name, evil)
    for name in ("post-checkout", "reference-transaction", "pre-auto-gc", "post-index-change"):
        (checkout / ".git" / "hooks" / name).write_text(f"#!/bin/sh\n{evil}\n")
        (checkout / ".git" / "hooks" / name).chmod(0o755)
    for source in ({"checkout": checkout}, {"url": str(checkout)}):
        assert [row["content"] for row in clone(**source)[1]] == [b"one"]
    assert not (tmp_path / "ran").exists()


def test_a_replaced_object_does_not_count(server: GitServer, clone: Clone, tmp_path: Path) -> None:
    """A checkout that swaps a commit for another by `git replace` gives the files of the one it names."""
    commit = make_repository(server.root / "docs.git", {"a.md": "one"})
    other = make_repository(server.root / "other.git", {"a.md": "another"})
    git(server.root / "docs.git", "fetch", "--quiet", "../other.git", "main")
    git(server.root / "docs.git", "replace", commit, other)
    record, rows = clone(checkout=server.root / "docs.git")
    assert (record.commit_sha, rows[0]["content"]) == (commit, b"one")


def test_a_full_disk_is_explained(clone: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No space left while documents are written is told with the work folder's name: a user's mistake."""

    def no_space(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("tasks.clone_docs.reading.write_documents", no_space)
    (tmp_path / "a.md").write_text("x")
    with pytest.raises(StoreError, match="no space left in the work folder"):
        clone(folder=tmp_path)


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
    end = time.monotonic() + 30
    while left := _asking(server):
        assert time.monotonic() < end, left
        time.sleep(0.1)


def _asking(server: GitServer) -> list[bytes]:
    """The command lines of all processes that were told the server's address."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found += [line for line in (entry.read_bytes(),) if f"127.0.0.1:{server.port}/".encode() in line]
    return found


@pytest.mark.skipif(not BUNDLE.is_file(), reason="no documentation repository beside the project")
def test_the_real_repository(server: GitServer, clone: Clone, tmp_path: Path) -> None:
    """A real documentation repository: 813 Markdown files and two licences, for a third of the bytes."""
    git(tmp_path, "clone", "--quiet", "--bare", str(BUNDLE), "served/docs.git")
    record, rows = clone(url=server.url("docs.git"))
    assert (record.found, record.read, len(rows)) == (813, 813, 813)
    assert record.licenses == ["CC-BY-4.0", "MIT"]
    assert server.sent < 2_500_000
    assert _paths(rows) == sorted(_paths(rows))
