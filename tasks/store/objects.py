"""What a store needs of a place that keeps bytes under names; `local.py` and `s3.py` are the two such places.

Names are paths relative to the store's root, with `/` between their parts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tasks.store.manifest import Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An object as a listing shows it."""

    size: int
    modified: float
    """Seconds since 1970."""
    etag: str = ""
    """What S3 calls this content; an MD5 on most servers."""
    is_link: bool = False
    """Of those that `own` lists: a symbolic link, to a file or a folder."""


class Objects(Protocol):
    """Bytes under names. Every method may raise what its client raises; `faults.explained` words it."""

    exclusive: bool
    """Whether `write(only_new=True)` is sure to fail where an object is."""

    def check(self) -> None:
        """See that the place can be reached."""

    def read(self, path: str) -> bytes:
        """All bytes of an object, or FileNotFoundError."""

    def write(self, path: str, content: bytes, *, only_new: bool = False) -> None:
        """Write an object in one piece; with `only_new`, FileExistsError where one is there."""

    def download(self, path: str, local: Path, size: int) -> None:
        """Copy an object of `size` bytes to the file `local`."""

    def sha256(self, path: str, size: int) -> str:
        """The SHA-256 of an object of `size` bytes, in hexadecimal."""

    def entries(self, path: str) -> dict[str, Entry]:
        """Every object below `path`, by its name relative to it."""

    def own(self, path: str, *, deep: bool = True) -> dict[str, Entry]:
        """What is the store's own below `path`: as `entries`, but without what lies behind a symbolic link.

        Not `deep`: only what lies directly there.
        """

    def folders(self, path: str) -> list[str]:
        """The names of the folders directly under `path`."""

    def remove(self, path: str) -> None:
        """Delete one object, if it is there."""

    def remove_below(self, path: str) -> None:
        """Delete a folder, its manifest first; a symbolic link is not followed."""

    def commit(
        self,
        folder: Path,
        path: str,
        manifest: Manifest,
        stands: Callable[[dict[str, Entry] | None], Manifest | None],
        told: Callable[[int], None],
    ) -> Manifest:
        """Put the files of `folder` and then their manifest at `path`; the manifest that now stands there.

        `stands` gives the manifest at `path` whose files are there with their sizes, or None; it makes its
        own listing of `path` unless it is handed one. Two commits at once never mix: in the end one of the
        two manifests stands, and the files are those it names. `told` hears of bytes as they go.
        """

    def unfinished(
        self, is_own: Callable[[str], bool], older_than: float, *, remove: bool
    ) -> dict[str, float]:
        """Uploads begun more than `older_than` seconds ago and never finished: name and age.

        Only those of names that `is_own` takes: others share the bucket.
        """
