"""`Store`: committing, finding and fetching whole folders of files, and the few small objects beside them."""

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from tasks.errors import IntegrityError, MissingStoreError, StoreError, UserError
from tasks.store.faults import PATIENCE, explained
from tasks.store.lease import lease
from tasks.store.local import LocalObjects, discard
from tasks.store.manifest import (
    MANIFEST,
    Manifest,
    StoredFile,
    intact,
    is_intact,
    library_versions,
    stored_files,
)
from tasks.store.marker import FOLDERS, is_marked, mark, require
from tasks.store.objects import Entry, Objects
from tasks.store.parallel import each
from tasks.store.urls import folder_url, parse_store

TRANSFERS = 4
"""Files on their way at once."""


class Store:
    """Results under one URL: `file:///folder`, a plain folder, or `s3://bucket/prefix`.

    A fault that may pass is tried again for `patience` seconds.

    Raises:
        UserError: the URL is none of these.
    """

    def __init__(self, url: str, *, patience: float = PATIENCE) -> None:
        self.protocol, place = parse_store(url)
        self.objects: Objects
        if self.protocol == "file":
            self.url = folder_url(place)
            self.objects = LocalObjects(place)
        else:
            # Only here, because it takes a second to import.
            from tasks.store.s3 import S3Objects

            self.url = f"s3://{place}"
            self.objects = S3Objects(place, patience=patience)

    def uri(self, *parts: str) -> str:
        """The URI of something in the store."""
        return "/".join((self.url, *parts))

    def path(self, uri: str) -> str:
        """Where `uri` lies, relative to the store's root.

        Raises:
            UserError: it is not in this store.
        """
        inside = uri == self.url or uri.startswith(self.url + "/")
        if not inside and self.protocol == "file" and uri.startswith("file:"):
            uri = folder_url(parse_store(uri)[1])  # perhaps another spelling of the same URL
            inside = uri == self.url or uri.startswith(self.url + "/")
        path = uri.removeprefix(self.url).strip("/")
        if not inside or ".." in path.split("/"):
            raise UserError(f"{uri} is not in the store {self.url}")
        return path

    def check(self, *, write: bool) -> None:
        """See that the store can be read and, if asked, written; leaves nothing behind.

        Raises:
            MissingStoreError: the bucket, the permission or the credentials are not there.
            UserError: a later version of docs-mlm wrote the store.
        """
        with self._explained("reached"):
            self.objects.check()
            is_marked(self.objects, self.url)
        if write:
            with self._explained("written"):
                probe = f".probe-{os.getpid()}-{os.urandom(4).hex()}"
                self.objects.write(probe, b"docs-mlm can write here")
                self.objects.remove(probe)

    def manifest(self, uri: str) -> Manifest | None:
        """The manifest of a complete folder at `uri`, or None where there is none that is whole.

        Sizes are checked here, hashes when the files are fetched.
        """
        return self._standing(uri)

    def inspect(self, uri: str) -> Manifest | None:
        """The manifest at `uri`, or None where there is no manifest at all.

        The URIs in its records are those of this store, wherever it was written: a store may be moved.

        Raises:
            IntegrityError: there is one, but it is torn, altered, of another place, or its files are not
                those that it names.
        """
        return self._inspect(uri)

    def commit(
        self, folder: Path, uri: str, manifest: Manifest, *, told: Callable[[int], None] = lambda _: None
    ) -> Manifest:
        """Copy the files of `folder` to `uri`, the manifest last, and return the manifest that stands there.

        A folder that is already complete at `uri` is left as it is: equal keys mean equal results. `folder`
        may hold a manifest of its own, which is not copied. `told` hears of bytes as they go, in any thread.

        Raises:
            StoreError: the store is full, refuses, or does not keep what was written; or a file changed.
            NetworkError: the store did not answer for the time that is set.
            UserError: a later version of docs-mlm wrote the store.
        """
        files = manifest.files or stored_files(folder)
        manifest = replace(manifest, files=files, versions=library_versions())
        with self._explained("written"):
            mark(self.objects, self.url)
            written = self.objects.commit(
                folder, self.path(uri), manifest, lambda there: self._standing(uri, there), told
            )
        return self._at_home(written, uri)

    def fetch(self, uri: str, destination: Path) -> Path:
        """Copy a committed folder to `destination`, every byte hashed; a whole earlier copy is used as it is.

        A file whose bytes do not hash is fetched once more, because the fault may have been the line's.

        Raises:
            IntegrityError: bytes differ from what the manifest vouches for.
            StoreError: there is no complete folder at `uri`, or no space left here.
        """
        manifest = self.manifest(uri)
        if manifest is None:
            raise StoreError(f"nothing complete is stored at {uri}")
        if destination.is_dir():
            if intact(destination, manifest.files):
                return destination
            discard(destination)
        with _named(destination):
            destination.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=destination.parent, prefix=".fetch-") as name:
                partial = Path(name) / "whole"
                for file in manifest.files:
                    (partial / file.name).parent.mkdir(parents=True, exist_ok=True)
                each(lambda file: self._fetch_file(uri, partial, file), manifest.files, threads=TRANSFERS)
                try:
                    partial.rename(destination)
                except OSError:
                    # Another process was quicker; its copy counts if it is whole.
                    if not intact(destination, manifest.files):
                        raise
        return destination

    def fetch_file(self, uri: str, name: str, folder: Path) -> Path | None:
        """One file of a committed folder, hashed as `fetch` does; None where there is no such file.

        Raises:
            IntegrityError: its bytes differ from what the manifest vouches for.
            StoreError: no space is left here.
        """
        manifest = self.manifest(uri)
        for file in manifest.files if manifest is not None else ():
            if file.name == name:
                with _named(folder):
                    self._fetch_file(uri, folder, file)
                return folder / name
        return None

    def read_json(self, uri: str) -> dict[str, Any] | None:
        """A small JSON object that is not part of any folder (such as `latest.json`), or None."""
        with self._explained("read"):
            try:
                loaded = json.loads(self.objects.read(self.path(uri)))
            except (FileNotFoundError, ValueError):
                return None
        return loaded if isinstance(loaded, dict) else None

    def exists(self, uri: str) -> bool:
        """Whether there is a small object, readable or not."""
        with self._explained("read"):
            try:
                self.objects.read(self.path(uri))
            except FileNotFoundError:
                return False
        return True

    def write_json(self, uri: str, value: dict[str, Any]) -> None:
        """Write a small JSON object in one piece."""
        with self._explained("written"):
            self.objects.write(self.path(uri), json.dumps(value, indent=1, sort_keys=True).encode())

    def folders(self, uri: str) -> list[str]:
        """The names of the folders directly under `uri`, whole or not."""
        with self._explained("read"):
            return sorted(self.objects.folders(self.path(uri)))

    def names(self, uri: str) -> list[str]:
        """The names of the small objects directly under `uri`."""
        with self._explained("read"):
            return sorted(self.objects.own(self.path(uri), deep=False))

    def remove(self, uri: str) -> None:
        """Delete a folder, its manifest first, so that it is never half there.

        Raises:
            UserError: it is no result's or checkpoint's folder, or this is no store of docs-mlm.
            StoreError: a symbolic link leads there.
        """
        path = self.path(uri)
        stage, _, key = path.partition("/")
        if stage not in FOLDERS or not key:
            raise UserError(f"{uri} is no result and no checkpoint: nothing else is deleted")
        self.require()
        with self._explained("written"):
            self.objects.remove_below(path)

    def require(self) -> None:
        """See that this is a store of docs-mlm, before anything in it is deleted.

        Raises:
            UserError: it is none, or one of a later version.
        """
        with self._explained("read"):
            require(self.objects, self.url)

    def lease(self, uri: str, *, timeout: float | None = None) -> AbstractContextManager[None]:
        """Hold the work on `uri` for this process; see `tasks.store.lease` for what that is worth."""
        return lease(self.objects, self.path(uri), self._explained, timeout=timeout)

    def _standing(self, uri: str, there: dict[str, Entry] | None = None) -> Manifest | None:
        try:
            return self._inspect(uri, there)
        except IntegrityError:
            return None

    def _inspect(self, uri: str, there: dict[str, Entry] | None = None) -> Manifest | None:
        path = self.path(uri)
        with self._explained("read"):
            try:
                manifest = self._read_manifest(path)
            except FileNotFoundError:
                return None
            if there is None:
                there = self.objects.entries(path)
        if path != f"{manifest.stage}/{manifest.key}":
            raise IntegrityError(f"the manifest at {uri} belongs to {manifest.stage}/{manifest.key}")
        for file in manifest.files:
            size = there[file.name].size if file.name in there else None
            if size != file.size:
                found = "is missing" if size is None else f"has {size} bytes, not {file.size}"
                raise IntegrityError(f"{uri}/{file.name} {found}")
        return self._at_home(manifest, uri)

    def _read_manifest(self, path: str) -> Manifest:
        try:
            return Manifest.load(self.objects.read(f"{path}/{MANIFEST}"))
        except IntegrityError:  # a bit may have flipped on the way
            return Manifest.load(self.objects.read(f"{path}/{MANIFEST}"))

    def _at_home(self, manifest: Manifest, uri: str) -> Manifest:
        """The manifest with its records' URIs in this store, so that no manifest sends a reader elsewhere."""
        ancestors = {
            stage: record | {"uri": self.uri(stage, str(record.get("key")))} if "uri" in record else record
            for stage, record in manifest.ancestors.items()
        }
        record = manifest.record | ({"uri": uri} if "uri" in manifest.record else {})
        return replace(manifest, record=record, ancestors=ancestors)

    def _fetch_file(self, uri: str, folder: Path, file: StoredFile) -> None:
        for _ in range(2):
            with self._explained("read"):
                self.objects.download(f"{self.path(uri)}/{file.name}", folder / file.name, file.size)
            if is_intact(folder / file.name, file):
                return
        raise IntegrityError(f"{uri}/{file.name} differs from its manifest: delete {uri} and run again")

    def _explained(self, verb: str) -> AbstractContextManager[None]:
        return explained(self.url, verb)


@contextmanager
def _named(destination: Path) -> Iterator[None]:
    """Say which place it was that takes no files, full or not."""
    try:
        yield
    except OSError as error:
        raise MissingStoreError(f"{destination} cannot be written: {error}") from error
