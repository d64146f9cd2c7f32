"""A password in a URL is in nothing that is told, however the URL is malformed."""

import logging

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.presets import preset_settings
from tasks.clone_docs.git.access import remote_access
from tasks.clone_docs.git.urls import parse_address, safe_name
from tasks.clone_docs.settings import SourceSettings
from tasks.errors import UserError, scrubbed
from tasks.run.each import source_label
from tasks.stage.log import stage_logger

SECRET = "s3cr3tT0ken9"
_MARKS = st.sampled_from(
    ["", "", "", " ", "\u200f", "\u202e", "\u200b", "\ufeff", "\u00a0", "\u00ad", "\x1b", "\n"]
)
_SCHEMES = st.sampled_from(
    [*("https", "http", "ssh", "git", "file", "HTTPS", "ftp", "htps", "ext", "git+ssh", "https%3A", "h"), ""]
)
_SLASHES = st.sampled_from(
    [*("://", ":/", ":", ":///", "::", ":\\\\", ":/\\", ":\\", "//", "/", ":%2F%2F", "\u2044/", ":@"), ""]
)
_COLONS = (":", "%3A", "%3a", "%253A", "%EF%BC%9A", "\uff1a", "\ufe55")
_USERS = st.sampled_from(
    [f"u{colon}{{}}" for colon in _COLONS]
    + ["%75%3A{}", "u@example.org:{}", "u:1/{}", "u:{}/2", "u:1?{}", "\\u:{}"]
)
_HOSTS = st.sampled_from(
    ["h.example", "[::1]", "[::1", "127.0.0.1", "h\u0430.example", "h%2eexample", "-h", ""]
)
_PORTS = st.sampled_from(["", ":8443", ":port", ":99999", ":"])
_PATHS = st.sampled_from(["/a/b.git", "/a@b", ":a/b", "", "/a?x=1", "/a#x", "\\@evil/a", "/\u202ea"])


@st.composite
def urls_with_a_secret(draw: st.DrawFn) -> str:
    """What people type and paste: a password before an `@`, in a URL that may be malformed everywhere."""
    user = draw(_USERS).format(SECRET)
    parts = (_MARKS, _SCHEMES, _SLASHES, _MARKS, st.just(user), st.just("@"), _HOSTS, _PORTS, _PATHS, _MARKS)
    return "".join(draw(part) for part in parts)


def told(error: BaseException | None) -> list[str]:
    """All that an exception and those behind it say."""
    return [f"{error!r}", str(error), *told(error.__cause__), *told(error.__context__)] if error else []


class Lines(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        self.lines.append(self.format(record))


def said(url: str) -> list[str]:
    """All names, messages, dumps and log lines that a URL leads to."""
    source, log = SourceSettings(url=url), Lines()
    found = [safe_name(url), str(source.model_dump()), source.model_dump_json(), repr(source)]
    found += [source_label(source), str(UserError(f"fatal: unable to access '{url}': it broke"))]
    logging.getLogger("docs_mlm").addHandler(log)
    stage_logger().warning("cloning %s again", url)
    logging.getLogger("docs_mlm").removeHandler(log)
    try:
        address = parse_address(url)
        found += [address.url, address.name, address.identity, repr(address)]
        access = remote_access(address, source)
        found += [repr(access), access.scrub(f"fatal: {url}: {address.password} {address.username}")]
    except UserError as error:
        found += told(error)
    for wrong in ({"url": url, "folder": "x"}, {"url": [url]}, {"json_file": {"url": url}}, url):
        with pytest.raises(UserError) as raised:
            preset_settings("full", source=wrong)
        found += told(raised.value)
    return found + log.lines


@given(url=urls_with_a_secret())
@settings(max_examples=500, deadline=None)
def test_a_planted_secret_is_in_nothing_that_is_told(url: str) -> None:
    """However a URL is malformed, its password is in no name, identity, message, dump, label or log line."""
    assert [text for text in said(url) if SECRET in text] == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("fatal: unable to access 'https://u:p@h/x': no", "fatal: unable to access 'https://***@h/x': no"),
        ("see (http://token@h/x) and more", "see (http://***@h/x) and more"),
        ("source=https:u:p@h/x", "***@h/x"),
        ("https:u:p:/q@h", "***@h"),
        ("https://u:p/q@h/x", "https://***@h/x"),
        ("u%3Ap@h", "***@h"),
        ("ssh://u%3Ap@h/a and u%253Ap@h, u\uff1ap@h", "ssh://***@h/a and ***@h, ***@h"),
        ("u%3Ap@h:/a@b and u:/p@h:/a@b", "***@b and u:/***@b"),
        ("90%@noon and ssh://git+ci@h/a", "90%@noon and ssh://git+ci@h/a"),
        ("git@h:a/b and ssh://git@h/a, docs@1a2b", "git@h:a/b and ssh://git@h/a, docs@1a2b"),
        ("ssh://git:p@h/a", "ssh://***@h/a"),
    ],
)
def test_free_text_loses_passwords_alone(text: str, shown: str) -> None:
    """The user and password of a URL in a message go; names with an `@` and the rest of it stay."""
    assert scrubbed(text) == shown
