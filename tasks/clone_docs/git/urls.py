"""Addresses of Git repositories: which are allowed, and how they are told without their secrets.

An address is refused before Git sees it unless its protocol is on a short list: Git's transport helpers
(`ext::…`) run any command, and an address that begins with `-` is taken for an option.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from tasks.errors import UserError

PROTOCOLS = ("https", "http", "ssh", "git", "file")
WAYS = "use https://, ssh:// (or git@host:path), git://, http://, file:// or a local path"

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_HELPER = re.compile(r"([A-Za-z0-9][A-Za-z0-9+.-]*)::")
_SCP_LIKE = re.compile(r"(?:([^/@:]+)@)?(\[[0-9A-Fa-f:.]+\]|[^/:@]+):(.+)", re.DOTALL)

# user:password@host:path, which no Git takes but people type
_SCP_PASSWORD = re.compile(r"^([^/@:]+):[^/@]+@([^/:@]+:)")


@dataclass(frozen=True, slots=True, kw_only=True)
class GitAddress:
    """A checked address, parted from the secrets that it may have carried."""

    url: str
    """What Git is given: no password, no token."""
    protocol: str
    """One of `PROTOCOLS`; `file` for local paths too."""
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    @property
    def is_local(self) -> bool:
        """Whether it names a repository on this machine."""
        return self.protocol == "file"

    @property
    def name(self) -> str:
        """What a person calls it; of a local repository only the last part, for a path tells about a home."""
        if not self.is_local:
            return self.url
        return PurePosixPath(self.url.removeprefix("file://")).name or "local"

    @property
    def identity(self) -> str:
        """What goes into a key: the same for every spelling of one address, no path of this machine."""
        return "local" if self.is_local else self.url.rstrip("/").removesuffix(".git")


def parse_address(url: str) -> GitAddress:
    """The address in `url`.

    Raises:
        UserError: its protocol is not allowed, or it is no address at all.
    """
    shown = safe_name(url)
    if not url.strip() or url.startswith("-") or any(ord(c) < 32 or ord(c) == 127 for c in url):
        raise UserError(f"{shown!r} is no Git URL: {WAYS}")
    if helper := _HELPER.match(url):
        raise UserError(f"the Git transport {helper[1]}:: in {shown!r} is not allowed: {WAYS}")
    if scheme := _SCHEME.match(url):
        return _parse_url(url, scheme[1].lower(), shown)
    if _SCP_PASSWORD.match(url):
        raise UserError(f"{shown!r} came with a password, which SSH does not take: use a key")
    if (scp := _SCP_LIKE.fullmatch(url)) and "/" not in url.partition(":")[0]:
        _check_host(scp[2], scp[3], shown)
        return GitAddress(url=url, protocol="ssh", username=scp[1])
    return GitAddress(url=str(Path(url).expanduser().absolute()), protocol="file")


def _parse_url(url: str, scheme: str, shown: str) -> GitAddress:
    if scheme not in PROTOCOLS:
        raise UserError(f"the protocol {scheme}:// of {shown!r} is not allowed: {WAYS}")
    if scheme == "file":
        return GitAddress(url="file://" + url[len("file://") :], protocol="file")
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname or "", parts.port
    except ValueError as error:
        raise UserError(f"{shown!r} is no Git URL (its host or port is malformed): {WAYS}") from error
    _check_host(host, parts.path, shown)
    if scheme in ("http", "https") and (parts.query or parts.fragment):
        raise UserError(
            f"{shown!r} is followed by a query (?…) or fragment (#…): leave it out, "
            "and give a token through GIT_TOKEN or credentials_block"
        )
    return GitAddress(
        url=_without_secrets(parts),
        protocol=scheme,
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password and scheme in ("http", "https") else None,
    )


def _check_host(host: str, path: str, shown: str) -> None:
    if not host or host.startswith("-") or path.startswith("-"):
        raise UserError(f"{shown!r} names no host that can be asked: {WAYS}")


def safe_name(url: str) -> str:
    """`url` as it may be shown and kept: without password, user of the web, query and fragment."""
    if not _SCHEME.match(url):
        return _SCP_PASSWORD.sub(r"\1@\2", url)
    try:
        return _without_secrets(urlsplit(url))
    except ValueError:
        return re.sub(r"//[^/]*@", "//", url).partition("?")[0].partition("#")[0]


def _without_secrets(parts: SplitResult) -> str:
    host = parts.netloc.rpartition("@")[2].lower()
    # Only ssh's user is a name; on the web people put tokens there.
    user = parts.username if parts.scheme.lower() == "ssh" else None
    return urlunsplit((parts.scheme.lower(), f"{user}@{host}" if user else host, parts.path, "", ""))
