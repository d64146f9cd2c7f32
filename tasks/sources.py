"""Where documents come from: names, identities and commits of the four sources, before any fetch."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedSource:
    """A source pinned to one content: what to fetch, and what goes into the snapshot's key."""

    kind: Literal["url", "checkout", "folder", "json_file"]
    name: str
    """What a person calls it: a URL without credentials, a folder's or file's name."""
    identity: str
    """What goes into the key: the URL without credentials, or the kind; never a path of this machine."""
    commit_sha: str
    """The Git commit (40 or 64 hexadecimal digits), or `sha256:…` of the contents where there is no Git."""
    ref: str | None
    """The full name of the ref that was resolved (`refs/heads/main`), or None for a bare commit or no Git."""
