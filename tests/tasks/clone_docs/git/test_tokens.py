"""Which hosts may have the token of the environment or of a Prefect block, and where it really goes."""

import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tasks.clone_docs.git.access import remote_access
from tasks.clone_docs.git.tokens import find_token, is_this_machine
from tasks.clone_docs.git.urls import parse_address
from tasks.clone_docs.kinds import resolve_source
from tasks.clone_docs.settings import SourceSettings
from tasks.errors import NetworkError, UserError
from tests.git_server import GitServer, make_repository
from tests.tasks.clone_docs.conftest import Clone

TOKEN = "the-platforms-token-1a2b"


@pytest.fixture(autouse=True)
def _token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_TOKEN", TOKEN)
    monkeypatch.delenv("GIT_TOKEN_HOSTS", raising=False)


def given_to(url: str, **settings: Any) -> bool:
    """Whether Git gets the token for a URL."""
    return TOKEN in str(remote_access(parse_address(url), SourceSettings(url=url, **settings)).environment)


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("127.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("::2", False),
        ("0.0.0.0", False),
        ("10.0.0.1", False),
        ("", False),
    ],
)
def test_this_machine_is_known_by_its_addresses(host: str, here: bool) -> None:
    """Neither how a name begins nor what it holds makes a host this machine: its addresses do."""
    assert is_this_machine(host) is here


@pytest.mark.parametrize(("second", "here"), [("127.0.0.2", True), ("192.0.2.1", False)])
def test_one_address_elsewhere_is_elsewhere(monkeypatch: pytest.MonkeyPatch, second: str, here: bool) -> None:
    """A name that has an address of this machine and one elsewhere is not this machine."""
    found = [(0, 0, 0, "", (address, 0)) for address in ("127.0.0.1", second)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: found)
    assert is_this_machine("name.example") is here
    assert given_to("http://name.example/a") is here


@pytest.mark.parametrize("host", ["127.evil.example", "127.0.0.1.evil.example", "example.com"])
def test_no_token_goes_over_plain_http(host: str) -> None:
    """Over plain http no host gets the token but this machine, and a password in such a URL is refused."""
    assert not given_to(f"http://{host}/a")
    assert given_to(f"https://{host}/a")
    assert given_to("http://127.0.0.1:8080/a")
    with pytest.raises(UserError, match="unencrypted"):
        remote_access(parse_address(f"http://u:p@{host}/a"), SourceSettings())


@pytest.mark.parametrize(
    ("hosts", "url", "given"),
    [
        ("git.example.com", "https://git.example.com/a", True),
        ("git.example.com", "https://GIT.example.com:443/a", True),
        ("git.example.com", "https://git.example.com:8443/a", False),
        ("git.example.com:8443", "https://git.example.com:8443/a", True),
        ("git.example.com:8443", "https://git.example.com/a", False),
        ("git.example.com", "https://git.example.com.evil.example/a", False),
        ("git.example.com", "https://evil-git.example.com/a", False),
        ("other.example, GIT.example.com. ,", "https://git.example.com./a", True),
        ("*.example.com", "https://git.example.com/a", True),
        ("*.example.com", "https://a.b.example.com/a", True),
        ("*.example.com", "https://example.com/a", False),
        ("*.example.com", "https://evilexample.com/a", False),
        ("*.example.com:8443", "https://git.example.com:8443/a", True),
        ("[::1]:99", "http://[::1]:99/a", True),
        ("[::1]", "http://[::1]:99/a", False),
        (" ", "https://git.example.com/a", True),
    ],
)
def test_the_hosts_that_are_named_get_the_token(
    monkeypatch: pytest.MonkeyPatch, hosts: str, url: str, given: bool
) -> None:
    """GIT_TOKEN_HOSTS names hosts, domains and ports; not set, the user's own host gets the token."""
    monkeypatch.setenv("GIT_TOKEN_HOSTS", hosts)
    assert given_to(url) is given


@pytest.mark.parametrize("hosts", ["*", "https://git.example.com", "git.example.com/a", "a b", "*.*.example"])
def test_a_list_of_hosts_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, hosts: str) -> None:
    """What is no host gives the token to nobody: it is a mistake, and named."""
    monkeypatch.setenv("GIT_TOKEN_HOSTS", hosts)
    with pytest.raises(UserError, match="GIT_TOKEN_HOSTS"):
        given_to("https://git.example.com/a")


def test_a_blocks_token_is_bound_to_the_same_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A block whose token may not go to the host is not read: the run ends and names the variable."""
    from prefect.blocks.system import Secret

    read = list[str]()
    monkeypatch.setattr(
        Secret, "load", lambda name, **_: read.append(name) or SimpleNamespace(get=lambda: TOKEN)
    )
    monkeypatch.setenv("GIT_TOKEN_HOSTS", "git.example.com")
    assert given_to("https://git.example.com/a", credentials_block="docs")
    with pytest.raises(UserError, match=r"'docs' is not given to evil\.example.*GIT_TOKEN_HOSTS"):
        given_to("https://evil.example/a", credentials_block="docs")
    assert read == ["docs"]


def test_a_withheld_token_is_named_where_it_was_missed(
    server: GitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A public repository needs no token; a server that asks for one gets none, and the way out is told."""
    commit = make_repository(server.root / "docs.git", {"a.md": "text"})
    url = server.url("docs.git")
    monkeypatch.setenv("GIT_TOKEN_HOSTS", "git.example.com")
    assert resolve_source(SourceSettings(url=url)).commit_sha == commit
    server.user, server.password = "x-access-token", TOKEN
    with pytest.raises(UserError, match=r"name that in GIT_TOKEN_HOSTS .* too") as refused:
        resolve_source(SourceSettings(url=url))
    assert f"127.0.0.1:{server.port}" in str(refused.value)
    assert not any(request.authorization for request in server.requests)
    monkeypatch.setenv("GIT_TOKEN_HOSTS", f"127.0.0.1:{server.port}")
    assert resolve_source(SourceSettings(url=url)).commit_sha == commit


def test_a_redirect_takes_no_token_along(server: GitServer, clone: Clone, tmp_path: Path) -> None:
    """A server that sends us on, or that has seen the token and then does, does not send the token on."""
    make_repository(server.root / "docs.git", {"a.md": "text"})
    away = GitServer(tmp_path / "served", redirect_to=server.url("").rstrip("/"))
    with away:
        assert clone(url=away.url("docs.git"))[1][0]["content"] == b"text"
        away.user, away.password, away.redirect_logged_in = "x-access-token", TOKEN, True
        before = len(server.requests)
        # Git follows its first request alone, so the second one ends at a server that still redirects.
        with pytest.raises(NetworkError, match="302"):
            clone(url=away.url("docs.git"))
        assert any(request.authorization for request in away.requests)
    assert len(server.requests) > before > 0
    assert not any(request.authorization for request in server.requests)


def test_what_stays_on_this_machine_goes_through_no_proxy(
    server: GitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy of the environment never sees a token that is sent to this machine unencrypted."""
    commit = make_repository(server.root / "docs.git", {"a.md": "text"})
    server.user, server.password = "x-access-token", TOKEN
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.getsockname()[1]}")
        for host in ("127.0.0.1", "localhost"):
            url = f"http://{host}:{server.port}/docs.git"
            assert resolve_source(SourceSettings(url=url)).commit_sha == commit
        proxy.setblocking(False)
        with pytest.raises(BlockingIOError):
            proxy.accept()


def test_a_token_in_the_users_place_is_a_secret_too() -> None:
    """`https://token@host` is what people paste: nothing that Git says repeats it."""
    address = parse_address("https://ghp_0123456789abcdef@git.example.com/a")
    access = remote_access(address, SourceSettings())
    assert "ghp_" not in access.scrub("could not read Password for 'https://ghp_0123456789abcdef@git': no")
    assert "ghp_" not in access.scrub("user ghp_0123456789abcdef is unknown") + repr(access)
    assert find_token(address, SourceSettings()).value == TOKEN
