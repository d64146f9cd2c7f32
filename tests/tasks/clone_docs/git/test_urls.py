"""Addresses of Git repositories."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.clone_docs.git.urls import parse_address, safe_name
from tasks.errors import UserError


@pytest.mark.parametrize(
    ("given_url", "url", "protocol"),
    [
        ("https://github.com/MicrosoftDocs/azure-docs.git", None, "https"),
        ("HTTPS://GitHub.com/A/b", "https://github.com/A/b", "https"),
        ("https://example.com:8443/a/b", None, "https"),
        ("http://[::1]:80/a", None, "http"),
        ("ssh://git@example.com:22/a/b.git", None, "ssh"),
        ("git@github.com:a/b.git", None, "ssh"),
        ("git@[::1]:a/b.git", None, "ssh"),
        ("host:dir/x", None, "ssh"),
        ("org-1.docs@host:a b", None, "ssh"),
        ("ssh://host/dir%40v2/x", None, "ssh"),
        ("git://example.com/a", None, "git"),
        ("file:///srv/docs.git", None, "file"),
        ("/srv/docs.git", None, "file"),
        ("/srv/a:b.git", None, "file"),
        ("/home/someone@example.com/docs", None, "file"),
        ("/srv/\u0646\u0645\u06cc\u200c\u062f\u0627\u0646\u0645", None, "file"),
    ],
)
def test_allowed_addresses_pass(given_url: str, url: str | None, protocol: str) -> None:
    """Every allowed way to name a repository reaches Git, its scheme and host in lower case."""
    address = parse_address(given_url)
    assert (address.url, address.protocol) == (url or given_url, protocol)


@pytest.mark.parametrize(
    "url",
    [
        "",
        " ",
        "-u",
        "--upload-pack=touch /tmp/x",
        "-oProxyCommand=x:y",
        "git@-oProxyCommand=x:y",
        "ssh://-oProxyCommand=x/y",
        "host:-x",
        "ext::sh -c 'touch x'",
        "fd::17",
        "ftp://example.com/a",
        "git+ssh://example.com/a",
        "javascript://x",
        "https:///a",
        "https://example.com:port/a",
        "https://[::1/a",
        "https://example.com/a\n--x",
        "https://example.com/a?access_token=x",
        "https://example.com/a#x",
        "user:secret@example.com:a/b",
        "host:dir@v2/x",
        "C:\\docs",
        "file://host/docs",
        "file:///srv/u:p@h",
        "//u:p@h/x",
        "/srv/u:p@h",
        "https:/h/x",
        "https://h/a@b",
        "https://h\\@evil/a",
        "https://h /a",
        "https://h\u0430/a",
        "https://u:1/2@h/a",
        "https://h:99999/a",
        "ssh://u%3Ap@h/a",
        "\u200fhttps://h/a",
        " https://h/a",
        "https://h/a\u00a0",
        "token@h/a",
    ],
)
def test_other_addresses_are_refused(url: str) -> None:
    """Options, transport helpers, other protocols and malformed URLs are a user's mistake."""
    with pytest.raises(UserError):
        parse_address(url)


_part = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=20)
_user = st.from_regex(r"[a-z][A-Za-z0-9_.+-]{7,19}", fullmatch=True)


@given(scheme=st.sampled_from(["https", "http", "ssh", "ftp", "git"]), user=_user, password=_part)
def test_no_password_is_shown_or_kept(scheme: str, user: str, password: str) -> None:
    """Whatever the password, neither a name nor an address holds it, and it is told apart exactly."""
    marked = "pw-" + password
    url = f"{scheme}://{quote(user, safe='')}:{quote(marked, safe='')}@example.com/a"
    shown = safe_name(url)
    assert quote(marked, safe="") not in shown
    if scheme == "ftp":
        return
    address = parse_address(url)
    assert quote(marked, safe="") not in address.url + repr(address)
    assert address.password == (marked if scheme in ("http", "https") else None)
    assert address.username == user


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://u:p@example.com/a", "https://example.com/a"),
        ("https://token@example.com/a?access_token=t#f", "https://example.com/a"),
        ("ssh://git:p@example.com/a", "ssh://git@example.com/a"),
        ("user:secret@example.com:a/b", "…"),
        ("https://u:p@[::1/a?t=1", "https://…"),
        ("https://u:p%40[::1/a", "https://…"),
        ("https://u:p\uff20h\u0430/a", "https://…"),
        ("https://[::1/a\x1b?t=1", "https://[::1/a"),
        ("ext::sh -c x", "ext::sh -c x"),
        ("https:u:p@h/x", "…"),
        ("https:/\\u:p@h/x", "…"),
        ("\u200fhttps://u:p@h/x", "…"),
        ("https://u:12/34@h/x", "https://…"),
        ("docs.git", "docs.git"),
        ("git@example.com:a/b", "git@example.com:a/b"),
    ],
)
def test_names_are_safe(url: str, shown: str) -> None:
    """What is shown of a URL has no password, no token and no query."""
    assert safe_name(url) == shown


def test_spellings_of_one_address_have_one_identity() -> None:
    """Credentials, `.git`, a slash at the end and the host's case make no other key; a path has none."""
    spellings = ["https://example.com/a", "https://u:p@Example.com/a.git", "https://example.com/a/"]
    assert {parse_address(url).identity for url in spellings} == {"https://example.com/a"}
    assert parse_address("/home/someone/docs.git").identity == "local"
    assert parse_address("/home/someone/docs.git").name == "docs.git"
    assert parse_address("file:///home/someone/docs/").name == "docs"
