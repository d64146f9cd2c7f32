"""The stage from end to end: secrets stay secret, nothing that a source brings runs, a full disk is told."""

import base64
import errno
import json
import logging
import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tasks.errors import UserError
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


def test_a_full_disk_is_explained(clone: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No space left while documents are written is told with the work folder's name: a user's mistake."""

    def no_space(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("tasks.clone_docs.reading.write_documents", no_space)
    (tmp_path / "a.md").write_text("x")
    with pytest.raises(UserError, match="no space left in the work folder"):
        clone(folder=tmp_path)


@pytest.mark.skipif(not BUNDLE.is_file(), reason="no documentation repository beside the project")
def test_the_real_repository(server: GitServer, clone: Clone, tmp_path: Path) -> None:
    """A real documentation repository: 813 Markdown files and two licences, for a third of the bytes."""
    git(tmp_path, "clone", "--quiet", "--bare", str(BUNDLE), "served/docs.git")
    record, rows = clone(url=server.url("docs.git"))
    assert (record.found, record.read, len(rows)) == (813, 813, 813)
    assert record.licenses == ["CC-BY-4.0", "MIT"]
    assert server.sent < 2_500_000
    assert _paths(rows) == sorted(_paths(rows))
