"""A source pinned to one content: its name, its identity and its commit, before any of it is fetched."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["url", "checkout", "folder", "json_file"]
"""The four kinds of source, each called as its setting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedSource:
    """A source pinned to one content: what to fetch, and what goes into the snapshot's key."""

    kind: Kind
    name: str
    """What a person calls it: a URL without credentials; of what lies on this machine its last name."""
    identity: str
    """What goes into the key: the URL without credentials, or the kind; never a path of this machine."""
    commit_sha: str
    """The Git commit (40 or 64 hexadecimal digits), or `sha256:…` of the contents where there is no Git."""
    ref: str | None
    """The full name of the ref that was resolved (`refs/heads/main`), or None for a bare commit or no Git."""
