"""What went wrong in Git, told from what it printed: a person's mistake, the network, or the local clone.

Git has one exit code (128) for all of them, so its messages are all there is; it runs in English (LC_ALL=C).
"""

import re

from tasks.errors import DocsMlmError, NetworkError, UnknownHostError, UserError
from tasks.machine import says_disk_full


class RefusedObjectError(UserError):
    """The server does not hand out an object by its id."""


class MalformedObjectsError(UserError):
    """Git's check of what arrived found objects that no honest Git writes."""


class BrokenCloneError(DocsMlmError):
    """Git failed for no fault of the network or the user: a local clone is thrown away and made again."""


TOKEN = "set GIT_TOKEN, source.credentials_block or one of Git's credential helpers"
"""The way out of a refusal, where no token was withheld."""
_LOCAL_RULES: tuple[tuple[str, type[DocsMlmError], str], ...] = (
    (
        r"dubious ownership",
        UserError,
        "{place} belongs to another user: if you trust it, name it in Git's safe.directory setting",
    ),
)
_DAMAGED = (
    "{place} is damaged, its own Git cannot read it: see `git fsck` there, and repair it or clone it anew"
)
_REMOTE_RULES: tuple[tuple[str, type[DocsMlmError], str], ...] = (
    (
        # What is not from the other side is of the local clone, which is thrown away and made again.
        r"repository corruption on the remote side|packfile \./objects"
        r"|remote: (fatal|error): (bad (tree )?object|unable to (read|unpack)|inflate:|.* is corrupt)",
        UserError,
        _DAMAGED,
    ),
    (
        r"not our ref|unadvertised object|couldn't find remote ref|no such remote ref",
        RefusedObjectError,
        "{place} does not hand out this commit: it does not exist there, or the server gives out branches "
        "and tags only; check source.ref, or give a branch",
    ),
    (
        r"authentication failed|could not read (username|password)|terminal prompts disabled"
        r"|returned error: 40[13]|access denied|permission denied|invalid credentials"
        r"|host key verification failed",
        UserError,
        "{place} refuses access: it is private, or it does not exist; {token}, or use an SSH key",
    ),
    (
        r"transport '[^']*' not allowed|unsupported protocol|is not a git command|protocol \S+ not supported",
        UserError,
        "{place} needs a Git transport that is not allowed: use https, ssh, git or http",
    ),
    (
        r"certificate|ssl_ca|tls alert",
        UserError,
        "{place} shows a certificate that is not trusted: set GIT_SSL_CAINFO to your authority's file",
    ),
    (
        r"dumb http transport",
        UserError,
        "{place} is served as plain files, which allows full clones only: use --source.fetch full",
    ),
    (
        r"fsck error|error in object|fsck-objects",
        MalformedObjectsError,
        "{place} holds malformed objects, and Git refuses them",
    ),
    (
        r"could not resolve|couldn't resolve|name resolution|unable to look up",
        UnknownHostError,
        "{place} cannot be reached, for nobody knows its host: check the network and the URL's host, "
        "then run again",
    ),
    (
        r"returned error: (429|5\d\d)|connection (refused|reset|closed|timed out)"
        r"|failed to connect|couldn't connect|unable to connect"
        r"|network is unreachable|no route to host|timed out|timeout|operation too slow|early eof"
        r"|empty reply|recv failure|send failure|transfer closed|unexpected disconnect|bad line length"
        r"|gnutls|ssl_error|http/2 stream|invalid index-pack output|expected flush|expected response end"
        r"|protocol error|unexpected end|hung up upon initial contact",
        NetworkError,
        "{place} cannot be reached, or the line broke: check the network and the URL's host, then run again",
    ),
    (
        r"returned error: 404|repository '?[^\n]*not found|does not appear to be a git repository"
        r"|not valid: is this a git repository|does not exist|no such file or directory|not exported",
        UserError,
        "there is no Git repository at {place}: check the URL; if it is private, {token}",
    ),
    (
        r"hung up unexpectedly|rpc failed|could not read from remote",
        NetworkError,
        "{place} cannot be reached, or the line broke: check the network and the URL's host, then run again",
    ),
)


def error_of(
    printed: str, *, command: str, status: int, place: str, token: str = TOKEN, local: bool = False
) -> DocsMlmError:
    """The error for a Git command that ended with `status` and `printed` this on standard error.

    Args:
        token: what to do about a missing token.
        local: whether `place` is on this machine, to which no line can break: no network is at fault.
    """
    said = _last_words(printed)
    if says_disk_full(printed):
        full = "no space left in the work folder: free some, or choose another with --work-dir"
        return UserError(f"{full} (git {command}: {said})")
    rules = _LOCAL_RULES + _REMOTE_RULES if command in ("fetch", "ls-remote") else _LOCAL_RULES
    for pattern, kind, message in rules:
        if re.search(pattern, printed, re.IGNORECASE):
            if local and kind is NetworkError:
                kind, message = UserError, _DAMAGED
            return kind(f"{message.format(place=place, token=token)} (git {command}: {said})")
    return BrokenCloneError(f"git {command} failed with exit code {status} for {place}: {said}")


def _last_words(printed: str) -> str:
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    telling = [line for line in lines if re.match(r"(remote: )?(error|fatal|ssh|ERROR)\b", line)] or lines
    # The first says what, the last what became of it.
    words = "; ".join(line[:300] for line in dict.fromkeys((*telling[:2], *telling[-1:])))
    return words or "nothing was said"
