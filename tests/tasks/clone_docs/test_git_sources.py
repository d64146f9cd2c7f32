"""Sources with Git are pinned to a commit, against real servers."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.clone_docs.kinds import resolve_source
from tasks.clone_docs.settings import SourceSettings
from tasks.errors import NetworkError, UserError
from tests.git_server import GitServer, add_commit, git, make_repository


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    """A server with `docs.git`: branches main and next, tag v1 (annotated, on the first commit)."""
    repository = tmp_path / "served" / "docs.git"
    first = make_repository(repository, {"a.md": "one"})
    git(repository, "tag", "-a", "-m", "x", "v1", first)
    add_commit(repository, {"a.md": "two"})
    git(repository, "branch", "next/big-thing", first)
    with GitServer(tmp_path / "served") as running:
        yield running


def _commit(server: GitServer, name: str) -> str:
    return git(server.root / "docs.git", "rev-parse", f"{name}^{{commit}}")


@pytest.mark.parametrize(
    ("ref", "full_name"),
    [
        (None, "refs/heads/main"),
        ("main", "refs/heads/main"),
        ("next/big-thing", "refs/heads/next/big-thing"),
        ("v1", "refs/tags/v1"),
        ("refs/tags/v1", "refs/tags/v1"),
        ("refs/heads/main", "refs/heads/main"),
    ],
)
def test_refs_are_pinned_to_commits(server: GitServer, ref: str | None, full_name: str) -> None:
    """The default branch, branches and tags (peeled) resolve to commit and full name in one exchange."""
    source = resolve_source(SourceSettings(url=server.url("docs.git"), ref=ref))
    assert source.commit_sha == _commit(server, ref or "main")
    assert source.ref == full_name
    assert source.name == server.url("docs.git")
    assert source.identity == server.url("docs")
    assert len([r for r in server.requests if r.method == "POST"]) == 1


def test_a_full_commit_needs_no_server() -> None:
    """All 40 digits pass through, in lower case, and nothing is asked."""
    source = resolve_source(SourceSettings(url="https://nowhere.invalid/a", ref="AB" * 20))
    assert (source.commit_sha, source.ref) == ("ab" * 20, None)


def test_a_shortened_commit_is_explained(server: GitServer) -> None:
    """A commit's first digits cannot be looked up at a server, and the message says what can."""
    short = _commit(server, "main")[:10]
    with pytest.raises(UserError, match="give all 40 digits, or a branch"):
        resolve_source(SourceSettings(url=server.url("docs.git"), ref=short))


def test_an_unknown_ref_gets_near_names(server: GitServer) -> None:
    """A ref that does not exist is a user's mistake; the message offers close names, or what there is."""
    with pytest.raises(UserError, match=r"'mian'.*did you mean main"):
        resolve_source(SourceSettings(url=server.url("docs.git"), ref="mian"))
    with pytest.raises(UserError, match=r"'zzz'.*it has main, next/big-thing, v1"):
        resolve_source(SourceSettings(url=server.url("docs.git"), ref="zzz"))


def test_an_empty_repository_is_explained(server: GitServer) -> None:
    """A repository without a commit has nothing to resolve."""
    make_repository(server.root / "empty.git")
    with pytest.raises(UserError, match="no default branch"):
        resolve_source(SourceSettings(url=server.url("empty.git")))
    with pytest.raises(UserError, match="it has none"):
        resolve_source(SourceSettings(url=server.url("empty.git"), ref="main"))


def test_a_missing_repository_is_a_users_mistake(server: GitServer, tmp_path: Path) -> None:
    """A URL or a path without a repository is reported as such, and not tried again."""
    for url in (server.url("nothing.git"), str(tmp_path / "nothing"), f"file://{tmp_path}/nothing"):
        with pytest.raises(UserError, match="no Git repository"):
            resolve_source(SourceSettings(url=url))


def test_a_server_that_fails_is_a_network_fault(server: GitServer) -> None:
    """A 503, a closed port and an unknown host are worth another try."""
    server.status = 503
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        unused = closed.getsockname()[1]
    for url in (
        server.url("docs.git"),
        f"http://127.0.0.1:{unused}/a",
        f"git://127.0.0.1:{unused}/a",
        "https://nowhere.invalid/a",
    ):
        with pytest.raises(NetworkError):
            resolve_source(SourceSettings(url=url))


def test_a_server_that_does_not_answer_is_given_up(
    server: GitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Listing branches has a time limit, after which it counts as a network fault."""
    monkeypatch.setattr("tasks.clone_docs.git_sources.ANSWER_SECONDS", 1)
    server.stall = True
    with pytest.raises(NetworkError):
        resolve_source(SourceSettings(url=server.url("docs.git")))


def test_git_daemon_is_read_too(server: GitServer) -> None:
    """The git:// protocol resolves like the others."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    root = server.root
    daemon = subprocess.Popen(
        ["git", "daemon", "--export-all", "--listen=127.0.0.1", f"--port={port}", f"--base-path={root}"],
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        source = resolve_source(SourceSettings(url=f"git://127.0.0.1:{port}/docs.git"))
        assert source.commit_sha == _commit(server, "main")
        with pytest.raises(UserError):
            resolve_source(SourceSettings(url=f"git://127.0.0.1:{port}/nothing.git"))
    finally:
        os.killpg(daemon.pid, signal.SIGTERM)
        daemon.wait()


@pytest.mark.parametrize("ref", ["-x", "--upload-pack=x", "a..b", "a b", "a:b", "*", "a@{1}", "", "a\nb"])
def test_a_ref_is_a_plain_name(server: GitServer, ref: str) -> None:
    """Options, expressions and refspecs are refused before Git sees them."""
    for source in ({"url": server.url("docs.git")}, {"checkout": server.root / "docs.git"}):
        with pytest.raises(UserError, match="plain name"):
            resolve_source(SourceSettings(**source, ref=ref))
    assert not server.requests


def test_a_checkout_is_read_at_its_head_or_a_ref(server: GitServer, tmp_path: Path) -> None:
    """A checkout resolves to HEAD, or to a ref or a shortened commit of it, its path not in the identity."""
    git(tmp_path, "clone", "--quiet", str(server.root / "docs.git"), "work")
    checkout = tmp_path / "work"
    main, old = _commit(server, "main"), _commit(server, "v1")
    source = resolve_source(SourceSettings(checkout=checkout))
    assert (source.commit_sha, source.ref) == (main, "refs/heads/main")
    assert (source.name, source.identity) == ("work", "checkout")
    assert resolve_source(SourceSettings(checkout=checkout, ref="v1")).commit_sha == old
    assert resolve_source(SourceSettings(checkout=checkout, ref=old[:8])).commit_sha == old
    git(checkout, "worktree", "add", "--quiet", "--detach", "../second", old)
    assert resolve_source(SourceSettings(checkout=tmp_path / "second")).commit_sha == old
    with pytest.raises(UserError, match="'nope' is not in the checkout"):
        resolve_source(SourceSettings(checkout=checkout, ref="nope"))


def test_no_checkout_is_explained(tmp_path: Path) -> None:
    """A folder without Git, or none at all, is no checkout, and the message says what to use."""
    for folder in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(UserError, match=r"--source\.folder"):
            resolve_source(SourceSettings(checkout=folder))


def test_the_caller_s_git_environment_does_not_count(
    server: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GIT_DIR and its like, as a hook sets them, do not lead to another repository."""
    other = make_repository(tmp_path / "other.git", {"a.md": "other"})
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other.git"))
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(tmp_path / "other.git" / "objects"))
    monkeypatch.setenv("GIT_ALTERNATE_OBJECT_DIRECTORIES", str(tmp_path / "other.git" / "objects"))
    main = _commit(server, "main")
    assert resolve_source(SourceSettings(checkout=server.root / "docs.git")).commit_sha == main
    assert resolve_source(SourceSettings(url=server.url("docs.git"))).commit_sha == main
    with pytest.raises(UserError, match="is not in the checkout"):
        resolve_source(SourceSettings(checkout=server.root / "docs.git", ref=other))
