"""What Git's commands are given to work with."""

import os
from pathlib import Path

import pytest

from tasks.clone_docs.git.access import GitAccess, local_access, remote_access
from tasks.clone_docs.git.command import GitRepository
from tasks.clone_docs.git.urls import parse_address
from tasks.clone_docs.settings import SourceSettings
from tasks.errors import NetworkError, UserError

SECRET = "s3cr3t-t0ken/with+signs"
ADDRESS = parse_address("https://example.com/a")


def _git(access: GitAccess, *arguments: str) -> str:
    return GitRepository(access=access).run(*arguments).decode()


def test_the_configuration_reaches_git_and_the_users_own_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Git itself reads our settings, and those that the user passes in the same way."""
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "http.proxy")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "http://proxy:1")
    access = remote_access(ADDRESS, SourceSettings())
    assert _git(access, "config", "http.proxy") == "http://proxy:1\n"
    assert _git(access, "config", "core.hooksPath") == f"{os.devnull}\n"
    assert _git(access, "config", "remote.origin.url") == "https://example.com/a\n"


def test_a_token_is_for_one_host_and_replaces_other_helpers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Git's own credential lookup finds the token for the URL's host, and nothing for another."""
    monkeypatch.setenv("GIT_TOKEN", " tok'en\"$(x) \n")
    access = remote_access(ADDRESS, SourceSettings())
    assert "tok'en" not in repr(access)
    repository = GitRepository(access=access)
    found = repository._git.execute(
        ["git", "credential", "fill"], istream=_pipe(b"url=https://example.com/a\n\n"), env=access.environment
    )
    assert "username=x-access-token\npassword=tok'en\"$(x)" in str(found)
    status, _, errors = repository._git.execute(
        ["git", "credential", "fill"], istream=_pipe(b"url=https://other.example.com/a\n\n"),
        env=access.environment, with_extended_output=True, with_exceptions=False,
    )  # fmt: skip
    assert status == 128
    assert "terminal prompts disabled" in str(errors)


def _pipe(content: bytes) -> int:
    read, write = os.pipe()
    os.write(write, content)
    os.close(write)
    return read


def test_what_a_server_says_is_shown_without_secrets_and_escapes() -> None:
    """Neither a token that is echoed nor a terminal's control sequence gets into a message."""
    access = GitAccess(address=None, environment={}, secrets=("tok",))
    assert access.scrub("a tok\x1b[2J\nb") == "a ***[2J\nb"


def test_nothing_is_fetched_for_a_local_repository() -> None:
    """Access to the disk alone allows no transport."""
    with pytest.raises(UserError, match="not allowed"):
        _git(local_access(), "ls-remote", "https://example.com/a")


def test_a_server_is_reached_by_the_allowed_transports_alone(tmp_path: Path) -> None:
    """An address that got past the first check makes Git run no helper and read no local path."""
    access = remote_access(ADDRESS, SourceSettings())
    for url in (f"ext::touch {tmp_path}/ran", f"file://{tmp_path}", "fd::17"):
        with pytest.raises(UserError, match="transport that is not allowed"):
            _git(access, "ls-remote", url)
    assert not (tmp_path / "ran").exists()


def test_ssh_has_nobody_to_ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SSH gets no program of the user's that would open a window and wait for a password."""
    monkeypatch.setenv("SSH_ASKPASS", "/usr/bin/ask")
    monkeypatch.setenv("GIT_SSH_COMMAND", f'echo "[$SSH_ASKPASS]" > {tmp_path}/seen; false')
    access = remote_access(parse_address("git@example.com:a/b.git"), SourceSettings())
    with pytest.raises(NetworkError):
        _git(access, "ls-remote", "git@example.com:a/b.git")
    assert (tmp_path / "seen").read_text() == "[]\n"


def test_an_ssh_host_that_is_not_there_is_a_network_fault() -> None:
    """SSH asks nothing and ends with an error that is worth another try."""
    access = remote_access(parse_address("git@nowhere.invalid:a/b.git"), SourceSettings())
    with pytest.raises(NetworkError):
        _git(access, "ls-remote", "git@nowhere.invalid:a/b.git")


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
