"""The errors that docs-mlm raises on purpose, and the exit code that each becomes.

Every message names the value, the limit and the way out, because it is all that the user sees. Whatever
value it names, no message holds the user name and password of a URL: they are taken out as it is made.
"""

import re
import socket
import unicodedata
from urllib.parse import unquote

HIDDEN = "***"
"""What stands in a message where a secret was."""

_WITH_AT = re.compile(r"[^\s'\"<>]*@")
"""A word up to its last `@`: where it is a URL, or is meant to be one, a password may stand before that."""
_URL_SCHEME = re.compile(r"([^:]*?[A-Za-z][A-Za-z0-9+.-]*:[/\\]+)(.*)@")
_SSH_USER = re.compile(r"(?:.*\W)?ssh://[A-Za-z0-9_][A-Za-z0-9._+-]*@", re.IGNORECASE)


def scrubbed(text: str, secrets: tuple[str, ...] = ()) -> str:
    """`text` without the user names and passwords of URLs, however malformed, and without `secrets`.

    The user of `ssh://git@host/path` and of `git@host:path` stays: it is a name, and SSH takes no password.
    """
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    return _WITH_AT.sub(_without_user, text) if "@" in text else text


def _without_user(found: re.Match[str]) -> str:
    word = found[0]
    if ":" not in decoded(word) or _SSH_USER.fullmatch(word):
        return word
    scheme = _URL_SCHEME.fullmatch(word)
    kept = scheme[1] if scheme and "@" not in scheme[1] and decoded(scheme[1]) == scheme[1] else ""
    return f"{kept}{HIDDEN}@"


def decoded(word: str) -> str:
    """`word` without percent-encoding, however often it was applied, and without look-alikes of `:`."""
    while (plain := unicodedata.normalize("NFKC", unquote(word))) != word:
        word = plain
    return word


class DocsMlmError(Exception):
    """Base of every error whose message is meant for the user, without a traceback."""

    exit_code = 1

    def __init__(self, message: str = "") -> None:
        super().__init__(scrubbed(message))


class UserError(DocsMlmError):
    """The user asked for something that cannot be: a setting, a path, a URL. Never retried."""

    exit_code = 2


class NetworkError(DocsMlmError):
    """A host did not answer, or the line broke. Retried, then reported."""

    exit_code = 3


class UnknownHostError(NetworkError):
    """A host's name leads nowhere: it is misspelt, or whoever knows names does not answer."""


class StoreError(DocsMlmError):
    """The store cannot be read or written, or holds something other than its manifests say."""


class IntegrityError(StoreError):
    """Bytes in the store differ from what their manifest vouches for."""


class AwayStoreError(StoreError, NetworkError):
    """The store did not answer for all the time that is set: it has been tried often enough."""

    exit_code = 3


class MissingStoreError(StoreError, UserError):
    """The store, its bucket or its credentials are not there: the user must act."""

    exit_code = 2


def first_line(error: BaseException) -> str:
    """The first line of what an error of a library says, or its kind where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def unreached(message: str, cause: BaseException) -> NetworkError:
    """The error about a host that a library did not reach, which it told by `cause`."""
    error: BaseException | None = cause
    while error is not None and not isinstance(error, socket.gaierror):
        error = error.__cause__ or error.__context__
    return NetworkError(message) if error is None else UnknownHostError(message)
