"""Objects as files of this machine: each is written beside its place, flushed to disk and renamed there."""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from tasks.errors import StoreError
from tasks.store.manifest import MANIFEST, Manifest, StoredFile
from tasks.store.objects import Entry

_BLOCK = 4 << 20


class LocalObjects:
    """Files under a folder, with the meaning of `tasks.store.objects.Objects`."""

    exclusive = True

    def __init__(self, root: str) -> None:
        self._root = Path(root)

    def check(self) -> None:
        """See that the root is a folder, or could become one."""
        nearest = next(p for p in (self._root, *self._root.parents) if os.path.lexists(p))
        if not nearest.is_dir():
            raise NotADirectoryError(0, "not a folder", str(nearest))

    def read(self, path: str) -> bytes:
        """All bytes of an object."""
        try:
            return (self._root / path).read_bytes()
        except (NotADirectoryError, IsADirectoryError) as error:
            raise FileNotFoundError(*error.args) from error

    def write(self, path: str, content: bytes, *, only_new: bool = False) -> None:
        """Write an object in one piece; with `only_new`, FileExistsError where there is one."""
        target = self._root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.{os.urandom(4).hex()}.partial")
        try:
            _write(partial, content)
            if only_new:
                os.link(partial, target)
            else:
                partial.replace(target)
            _sync_folder(target.parent)
        finally:
            partial.unlink(missing_ok=True)

    def download(self, path: str, local: Path, size: int) -> None:
        """Copy an object to the file `local`."""
        shutil.copyfile(self._root / path, local)

    def sha256(self, path: str, size: int) -> str:
        """The SHA-256 of an object's bytes."""
        with (self._root / path).open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()

    def entries(self, path: str) -> dict[str, Entry]:
        """Every object below `path`, by its name relative to it."""
        top = self._root / path
        found: dict[str, Entry] = {}
        for file in _files_below(top):
            with suppress(FileNotFoundError):  # another run has just renamed or removed it
                status = file.stat()
                found[file.relative_to(top).as_posix()] = Entry(size=status.st_size, modified=status.st_mtime)
        return found

    def own(self, path: str, *, deep: bool = True) -> dict[str, Entry]:
        """What is the store's own below `path`: no symbolic link is followed, not even at `path`."""
        if self._link_on_the_way(path) is not None:
            return {}
        found: dict[str, Entry] = {}
        top = self._root / path
        for folder, inner, names in os.walk(top):
            for place in (*(Path(folder, name) for name in names), *_links(folder, inner)):
                with suppress(FileNotFoundError):  # another run has just renamed or removed it
                    status = place.lstat()
                    found[place.relative_to(top).as_posix()] = Entry(
                        size=status.st_size, modified=status.st_mtime, is_link=place.is_symlink()
                    )
            if not deep:
                break
        return found

    def folders(self, path: str) -> list[str]:
        """The names of the folders directly under `path`."""
        try:
            return [p.name for p in (self._root / path).iterdir() if p.is_dir() and p.name[0] != "."]
        except (FileNotFoundError, NotADirectoryError):
            return []

    def remove(self, path: str) -> None:
        """Delete one object, if it is there."""
        (self._root / path).unlink(missing_ok=True)

    def remove_below(self, path: str) -> None:
        """Delete a folder with its manifest first, so that no reader takes the rest for whole.

        Raises:
            StoreError: a symbolic link leads there; what it leads to may be anyone's.
        """
        if (link := self._link_on_the_way(path)) is not None:
            raise StoreError(f"{link} is a symbolic link, and nothing is deleted through one: do it yourself")
        folder = self._root / path
        (folder / MANIFEST).unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            shutil.rmtree(folder)

    def unfinished(
        self, is_own: Callable[[str], bool], older_than: float, *, remove: bool
    ) -> dict[str, float]:
        """None: what is not finished here is a file named `.partial`."""
        return {}

    def _link_on_the_way(self, path: str) -> Path | None:
        """The first symbolic link from below the root to `path`; the root itself is the user's to choose."""
        places = [self._root / path, *(self._root / path).parents]
        below = [place for place in reversed(places) if place != self._root and self._root in place.parents]
        return next((place for place in below if place.is_symlink()), None)

    def commit(
        self,
        folder: Path,
        path: str,
        manifest: Manifest,
        stands: Callable[[dict[str, Entry] | None], Manifest | None],
        told: Callable[[int], None],
    ) -> Manifest:
        """Put the files of `folder` and their manifest at `path` by one rename of the whole folder.

        Whatever lay there without a valid manifest is moved aside and deleted. Of two at once the first wins.
        """
        if (theirs := stands(None)) is not None:
            return theirs
        target = self._root / path
        staged = _beside(target)
        try:
            for file in manifest.files:
                _copy(folder / file.name, staged / file.name, file)
                told(file.size)
            staged.mkdir(parents=True, exist_ok=True)
            _write(staged / MANIFEST, manifest.dump())
            for inner in (*(p for p in staged.rglob("*") if p.is_dir()), staged):
                _sync_folder(inner)
            while (theirs := stands(None)) is None:
                try:
                    staged.rename(target)
                except OSError:
                    if not target.exists():
                        raise
                    if stands(None) is None:
                        broken = _beside(target)
                        with suppress(FileNotFoundError):
                            target.rename(broken)
                        discard(broken)
                else:
                    _sync_folder(target.parent)
                    return manifest
            return theirs
        finally:
            shutil.rmtree(staged, ignore_errors=True)


def _beside(target: Path) -> Path:
    """A name beside `target` that no reader looks at and `sweep` knows for a leftover."""
    return target.with_name(f".{target.name}.{os.urandom(4).hex()}.partial")


def _copy(source: Path, target: Path, file: StoredFile) -> None:
    """Copy the bytes that `file` vouches for.

    Raises:
        StoreError: `source` has other bytes by now.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with source.open("rb") as reading, target.open("wb") as writing:
        while block := reading.read(_BLOCK):
            digest.update(block)
            writing.write(block)
        writing.flush()
        os.fsync(writing.fileno())
    if digest.hexdigest() != file.sha256:
        raise StoreError(f"{source} was changed while it was being stored: run again")


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _sync_folder(path: Path) -> None:
    """Make the names in `path` survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def discard(place: Path) -> None:
    """Delete a folder, as far as that is possible; of a symbolic link the link alone."""
    if place.is_symlink():
        place.unlink(missing_ok=True)
    else:
        shutil.rmtree(place, ignore_errors=True)


def _files_below(top: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(top):
        yield from (Path(folder, name) for name in names)


def _links(folder: str, names: list[str]) -> Iterator[Path]:
    return (place for name in names if (place := Path(folder, name)).is_symlink())
