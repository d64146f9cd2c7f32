"""Which files are documents: path patterns, and what lies in a folder on this machine."""

import hashlib
import os
import re
import stat
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path, PurePosixPath

from pathspec import GitIgnoreSpec
from pathspec.patterns.gitignore import GitIgnorePatternError

from tasks.clone_docs.settings import SourceSettings
from tasks.errors import UserError


class PathPatterns:
    """The include and exclude patterns of a source, with the meaning they have in .gitignore.

    Paths are bytes, as in Git's trees; letters' case counts.

    Raises:
        UserError: a pattern cannot be read.
    """

    def __init__(self, settings: SourceSettings) -> None:
        self._include = _spec(settings.include)
        self._exclude = _spec(settings.exclude)

    def include(self, path: bytes) -> bool:
        """Whether the file at `path` counts as found."""
        return self._include.match_file(_matchable(path), separators=())

    def exclude(self, path: bytes) -> bool:
        """Whether a found file is left out all the same."""
        return self._exclude.match_file(_matchable(path), separators=())


def _spec(patterns: list[str]) -> GitIgnoreSpec:
    for pattern in patterns:
        try:
            GitIgnoreSpec.from_lines([pattern], backend="simple")
        except (GitIgnorePatternError, re.error) as error:
            raise UserError(f"the path pattern {pattern!r} cannot be read: {error}") from error
    return GitIgnoreSpec.from_lines(patterns, backend="simple")


def _matchable(path: bytes) -> str:
    # The patterns' regular expressions take a newline for the end of the path.
    return path.decode("utf-8", "surrogateescape").replace("\n", "\x01")


DOCUMENT_ENDINGS = frozenset(
    [
        ".md", ".markdown", ".mdown", ".mkd", ".mdx", ".qmd", ".rmd", ".rst", ".adoc", ".asciidoc", ".org",
        ".textile", ".txt", ".htm", ".html", ".ipynb",
    ]
)  # fmt: skip
"""How files are called that may hold documentation, whether it is read or not."""


def unread(paths: Iterable[bytes], patterns: PathPatterns) -> dict[str, int]:
    """Those of the files that look like documents and are not included: how many by ending, most first."""
    found = Counter[str]()
    for path in paths:
        ending = PurePosixPath(os.fsdecode(path)).suffix.lower()
        if ending in DOCUMENT_ENDINGS and not patterns.include(path):
            found[ending] += 1
    return dict(sorted(found.items(), key=lambda one: (-one[1], one[0])))


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderFile:
    """A file in a folder that matches the include patterns."""

    path: bytes
    """Relative to the folder, parts joined by `/`."""
    place: Path
    is_regular: bool
    """False for symbolic links (never followed), pipes and devices."""


def folder_files(folder: Path, patterns: PathPatterns, *, recursive: bool) -> list[FolderFile]:
    """The files of `folder` that match, sorted by path; a `.git` folder is passed by.

    Raises:
        UserError: the folder, or one in it, cannot be listed.
    """
    found = [
        FolderFile(path=path, place=Path(entry.path), is_regular=entry.is_file(follow_symlinks=False))
        for path, entry in _walk(folder, b"", recursive)
        if patterns.include(path)
    ]
    return sorted(found, key=lambda file: file.path)


def unread_files(folder: Path, patterns: PathPatterns, *, recursive: bool) -> dict[str, int]:
    """The files of `folder` that look like documents and are not read: how many by ending.

    Raises:
        UserError: the folder, or one in it, cannot be listed.
    """
    walked = _walk(folder, b"", recursive)
    return unread((path for path, entry in walked if entry.is_file(follow_symlinks=False)), patterns)


def _walk(folder: Path, prefix: bytes, recursive: bool) -> Iterator[tuple[bytes, os.DirEntry[str]]]:
    try:
        entries = list(os.scandir(folder))
    except OSError as error:
        raise UserError(f"the folder {folder} cannot be listed: {error.strerror}") from error
    for entry in entries:
        path = prefix + os.fsencode(entry.name)
        if entry.is_dir(follow_symlinks=False):
            if recursive and entry.name != ".git":
                yield from _walk(Path(entry.path), path + b"/", recursive)
        else:
            yield path, entry


def folder_digest(folder: Path, settings: SourceSettings) -> str:
    """SHA-256 over the path and content of each matching file: what takes a commit's place."""
    patterns = PathPatterns(settings)
    digest = hashlib.sha256()
    for file in folder_files(folder, patterns, recursive=settings.recursive):
        digest.update(file.path + b"\0")
        if not file.is_regular:
            digest.update(b"not a regular file")
        elif not patterns.exclude(file.path):
            digest.update(bytes.fromhex(file_sha256(file.place)))
    return digest.hexdigest()


def open_regular(path: Path) -> BufferedReader:
    """Open a file's bytes for reading, without waiting for a pipe that has taken its place.

    Raises:
        UserError: it is not a regular file, or cannot be read.
    """
    try:
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    stream = os.fdopen(number, "rb")
    if not stat.S_ISREG(os.fstat(number).st_mode):
        stream.close()
        raise UserError(f"{path} is not a regular file")
    return stream


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes.

    Raises:
        UserError: it is not a regular file, or cannot be read.
    """
    with open_regular(path) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
