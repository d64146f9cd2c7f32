"""What Git's commands are given to work with."""

import os

import pytest

from tasks.errors import NetworkError, UserError
from tasks.settings import SourceSettings
from tasks.sources.git_access import GitAccess, local_access, remote_access
from tasks.sources.git_command import GitRepository
from tasks.sources.git_urls import parse_address

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


def test_an_ssh_host_that_is_not_there_is_a_network_fault() -> None:
    """SSH asks nothing and ends with an error that is worth another try."""
    access = remote_access(parse_address("git@nowhere.invalid:a/b.git"), SourceSettings())
    with pytest.raises(NetworkError):
        _git(access, "ls-remote", "git@nowhere.invalid:a/b.git")
