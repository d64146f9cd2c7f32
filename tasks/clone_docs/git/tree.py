"""Reading one commit straight from Git's object store: no work tree, and no path of it touches the disk.

`ls-tree -z` lists any tree as it is, hostile names included, and `cat-file --batch` reads a blob by its
id; each one's id is computed again from its bytes, so what a damaged clone holds is never taken for true.
"""

import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO

from tasks.clone_docs.documents import Document
from tasks.clone_docs.git.command import GitRepository
from tasks.clone_docs.git.errors import BrokenCloneError
from tasks.clone_docs.licenses import NAMES
from tasks.clone_docs.patterns import PathPatterns, unread

CHUNK = 1 << 20
REGULAR = (b"100644", b"100755", b"100664")
"""Modes of files; 100664 is in old repositories."""
SUBMODULE = b"160000"


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeFile:
    """An entry of a commit's tree that is no folder."""

    path: bytes
    sha: str
    is_regular: bool
    """False for symbolic links and for other repositories' commits (submodules)."""
    is_submodule: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What a commit has for us."""

    files: list[TreeFile]
    """Those that match the include patterns, sorted by path."""
    excluded: frozenset[bytes]
    """Paths among them that are left out."""
    licenses: list[TreeFile]
    total: int
    """Files in the whole tree."""
    unread: dict[str, int]
    """Files that look like documents and are not chosen, by the end of their names."""
    submodules: int

    def wanted(self) -> list[str]:
        """The ids of the blobs to read, each once, in the order of their paths."""
        kept = (f.sha for f in self.files if f.is_regular and f.path not in self.excluded)
        return list(dict.fromkeys((*(f.sha for f in self.licenses), *kept)))


def list_tree(git: GitRepository, commit: str) -> list[TreeFile]:
    """All files of a commit, sorted by path."""
    files = []
    for entry in git.run("ls-tree", "-r", "-z", "--full-tree", commit).split(b"\0")[:-1]:
        facts, _, path = entry.partition(b"\t")
        mode, _kind, sha = facts.split(b" ")
        files.append(
            TreeFile(
                path=path,
                sha=sha.decode("ascii"),
                is_regular=mode in REGULAR,
                is_submodule=mode == SUBMODULE,
            )
        )
    return sorted(files, key=lambda file: file.path)


def choose(files: list[TreeFile], patterns: PathPatterns) -> Chosen:
    """The files that the patterns choose, and the licence files at the top."""
    found = [file for file in files if patterns.include(file.path)]
    return Chosen(
        files=found,
        excluded=frozenset(file.path for file in found if patterns.exclude(file.path)),
        licenses=[f for f in files if f.is_regular and NAMES.fullmatch(f.path)],
        total=len(files),
        unread=unread((file.path for file in files if file.is_regular), patterns),
        submodules=sum(file.is_submodule for file in files),
    )


def documents(git: GitRepository, chosen: Chosen, max_bytes: int) -> Iterator[Document]:
    """The chosen files with their bytes, in the order of their paths.

    Raises:
        BrokenCloneError: a blob is missing or damaged.
    """
    kept = [f.sha for f in chosen.files if f.is_regular and f.path not in chosen.excluded]
    blobs = read_blobs(git, kept, max_bytes)
    for file in chosen.files:
        if not file.is_regular:
            yield Document(path=file.path, blob_sha=file.sha, reason="not_regular_file")
        elif file.path in chosen.excluded:
            yield Document(path=file.path, blob_sha=file.sha, reason="excluded_path")
        else:
            size, content = next(blobs)
            yield Document(
                path=file.path,
                blob_sha=file.sha,
                size=size,
                content=content,
                reason="too_large" if content is None else None,
            )


def read_blobs(git: GitRepository, shas: Sequence[str], max_bytes: int) -> Iterator[tuple[int, bytes | None]]:
    """Size and bytes of each blob, in the order given; None for the bytes of one above `max_bytes`.

    Raises:
        BrokenCloneError: a blob is missing or damaged.
    """
    if not shas:
        return
    with tempfile.TemporaryFile() as ids:
        ids.write("".join(f"{sha}\n" for sha in shas).encode("ascii"))
        ids.seek(0)
        with git.reading("cat-file", "--batch", "--buffer", istream=ids) as stream:
            for sha in shas:
                yield _read_blob(git, stream, sha, max_bytes)


def _read_blob(git: GitRepository, stream: IO[bytes], sha: str, max_bytes: int) -> tuple[int, bytes | None]:
    header = stream.readline().split()
    if len(header) != 3 or header[0] != sha.encode("ascii") or header[1] != b"blob":
        raise BrokenCloneError(f"the Git repository {git.git_dir} lacks the file {sha}")
    size = int(header[2])
    # SHA-1 repositories have ids of 40 digits, SHA-256 ones of 64.
    digest = hashlib.new("sha1" if len(sha) == 40 else "sha256", b"blob %d\0" % size, usedforsecurity=False)
    content = bytearray()
    left = size
    while left:
        chunk = stream.read(min(left, CHUNK))
        if not chunk:
            raise BrokenCloneError(f"the Git repository {git.git_dir} holds only a part of the file {sha}")
        digest.update(chunk)
        left -= len(chunk)
        if size <= max_bytes:
            content += chunk
    stream.read(1)
    if digest.hexdigest() != sha:
        raise BrokenCloneError(f"the Git repository {git.git_dir} holds other bytes than {sha}")
    return size, bytes(content) if size <= max_bytes else None
