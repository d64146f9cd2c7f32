"""Addresses of Git repositories: which are allowed, and how they are told without their secrets.

One parser reads them all. An address that it does not know from end to end is refused before Git sees it:
Git's transport helpers (`ext::…`) run any command, an address that begins with `-` is taken for an option,
and a mistyped URL would pass as the path of an SSH host, with its password in every name.

    scheme://[user[:password]@]host[:port]/path     https, http, ssh, git
    [user@]host:path                                ssh
    file:///path, /path, ~/path, ./path, path       this machine

An `@` ends the user's name and stands nowhere else, but in a path of this machine. What is refused and has
one is not repeated: it cannot be known which part of it is the password.
"""

import re
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from tasks.errors import UserError, decoded

PROTOCOLS = ("https", "http", "ssh", "git", "file")
WAYS = "use https://, ssh:// (or git@host:path), git://, http://, file:// or a local path"

_HOST = r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_][A-Za-z0-9._-]*)"
_USER = r"[A-Za-z0-9_][A-Za-z0-9._+-]*"
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_HELPER = re.compile(r"[A-Za-z0-9][A-Za-z0-9+.-]*::")
_URL = re.compile(
    rf"[^:]+://(?:(?P<userinfo>[^/?#\\\s]*)@)?{_HOST}(?::(?P<port>[0-9]*))?"
    r"(?P<path>(?:/[^@?#\\\s]*)?)(?P<rest>(?:[?#].*)?)"
)
_SCP_LIKE = re.compile(rf"(?:(?P<user>{_USER})@)?{_HOST}:(?P<path>[^@\\:-][^@\\]*)")
_SCHEME_WORDS = frozenset({*PROTOCOLS, "ftp", "ftps", "sftp", "rsync", "svn", "hg", "s3"})
"""Before a colon alone they are a URL with too few slashes, and no SSH host."""
_PLACE = re.compile(r"(?:~|\.{0,2}/)(?!/).*|\.{1,2}", re.DOTALL)
_PLAIN_PLACE = re.compile(r"[^:@%\\?#~-][^:@%\\?#]*")
_USER_IN_PLACE = re.compile(r":.*@", re.DOTALL)
_HIGHEST_PORT = 65535


@dataclass(frozen=True, slots=True, kw_only=True)
class GitAddress:
    """A checked address, parted from the secrets that it may have carried."""

    url: str
    """What Git is given: no password, no token."""
    protocol: str
    """One of `PROTOCOLS`; `file` for local paths too."""
    username: str | None = field(default=None, repr=False)
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


@dataclass(frozen=True, slots=True)
class _Refused:
    """Why a text is no address, in words that have nothing of it."""

    why: str


def parse_address(url: str) -> GitAddress:
    """The address in `url`.

    Raises:
        UserError: its protocol is not allowed, or it is no address at all; what is not known is not repeated.
    """
    found = _parse(url)
    if isinstance(found, _Refused):
        raise UserError(f"source.url {safe_name(url)!r} {found.why}")
    return found


def safe_name(url: str) -> str:
    """`url` as it may be shown and kept: without password, user of the web, query and fragment.

    What is refused is shown where it has no `@` that a password could stand before. Otherwise nothing but its
    scheme is left, for the password may be anywhere in it.
    """
    if isinstance(address := _parse(url), GitAddress):
        return url if address.is_local else address.url
    whole = _URL.fullmatch(url)
    scheme = (_SCHEME.match(url) or {1: ""})[1].lower()
    if whole and "@" not in whole["rest"] and scheme in PROTOCOLS:
        return _rebuilt(scheme, whole)
    if "@" not in decoded(url):
        return "".join(c for c in re.split("[?#]", url)[0] if c.isprintable())
    return f"{scheme}://…" if scheme in PROTOCOLS else "…"


def _parse(url: str) -> GitAddress | _Refused:
    """The one parser. Nothing is raised in it, so that no exception's chain holds a password."""
    if why := _unreadable(url):
        return _Refused(f"{why}: {WAYS}")
    if _HELPER.match(url):
        return _Refused(f"asks for a Git transport helper (name::…), which is not allowed: {WAYS}")
    if scheme := _SCHEME.match(url):
        return _parse_url(url, scheme[1].lower())
    if _PLACE.fullmatch(url) or _PLAIN_PLACE.fullmatch(url):
        return _parse_place(url, url)
    if (scp := _SCP_LIKE.fullmatch(url)) and scp["host"].lower() not in _SCHEME_WORDS:
        return GitAddress(url=url, protocol="ssh", username=scp["user"])
    if "@" in url:
        return _Refused(
            "is not shown, for it may hold a password, and is no Git URL that can be read (SSH takes no "
            f"password, the web takes one in https://user:password@host/path): {WAYS}"
        )
    return _Refused(f"is no Git URL: {WAYS}")


def _unreadable(url: str) -> str | None:
    """What is wrong with the characters of `url`."""
    if not url.strip():
        return "is empty"
    if url != url.strip():
        return "begins or ends with white space"
    # A file may be called with joiners, as words of some scripts are; on the web they only mislead.
    is_place = url.startswith(("/", "~", "./", "../"))
    for character in url:
        kind = unicodedata.category(character)
        misleads = kind[0] == "C" or (kind == "Zs" and character != " ")
        if kind in ("Cc", "Zl", "Zp") or (misleads and not is_place):
            return f"holds the invisible character U+{ord(character):04X}"
    return None


def _parse_url(url: str, scheme: str) -> GitAddress | _Refused:
    if scheme not in PROTOCOLS:
        return _Refused(f"has a protocol that is not allowed: {WAYS}")
    if scheme == "file":
        place = url[len("file://") :]
        return _parse_place(place, f"file://{place}", url_of_file=True)
    whole = _URL.fullmatch(url)
    if whole is None or int(whole["port"] or 0) > _HIGHEST_PORT:
        return _Refused(
            "is no Git URL that can be read (its host or port is malformed, or a character of its user, "
            f"password or path must be percent-encoded, such as @ as %40 and a space as %20): {WAYS}"
        )
    if whole["rest"]:
        return _Refused(
            "is followed by a query (?…) or fragment (#…): leave it out, "
            "and give a token through GIT_TOKEN or credentials_block"
        )
    user, _, password = (whole["userinfo"] or "").partition(":")
    if scheme in ("ssh", "git") and user and not re.fullmatch(_USER, unquote(user)):
        return _Refused(f"names a user that {scheme} would not take: give a plain name, and use a key")
    return GitAddress(
        url=_rebuilt(scheme, whole),
        protocol=scheme,
        username=unquote(user) or None,
        password=unquote(password) or None if scheme in ("http", "https") else None,
    )


def _rebuilt(scheme: str, whole: re.Match[str]) -> str:
    """The URL without its secrets, query and fragment; scheme and host in lower case."""
    scheme = scheme.lower()
    user = (whole["userinfo"] or "").partition(":")[0]
    # Only ssh's user is a name; on the web people put tokens there.
    kept = f"{user}@" if scheme == "ssh" and re.fullmatch(_USER, unquote(user)) else ""
    port = "" if whole["port"] is None else f":{whole['port']}"
    return f"{scheme}://{kept}{whole['host'].lower()}{port}{whole['path']}"


def _parse_place(place: str, url: str, *, url_of_file: bool = False) -> GitAddress | _Refused:
    """A path of this machine."""
    if url_of_file and not re.match(r"/(?!/)", place):
        return _Refused("names a host, or no whole path: write file:///path")
    if _USER_IN_PLACE.search(decoded(place)):
        return _Refused("looks like a URL with a password and is read as a path of this machine: " + WAYS)
    return GitAddress(url=url if url_of_file else str(Path(place).expanduser().absolute()), protocol="file")
