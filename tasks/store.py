"""The store: where every result is kept, on `file://` or `s3://`, and the one way to write and read it.

A result is a folder `<store>/<stage>/<key>/` whose `manifest.json` was written last and vouches for the
size and SHA-256 of every file. A folder without a valid manifest does not exist: nothing is reused or
resumed from bytes that no manifest vouches for, and every byte that is read back is hashed.
"""

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Any

import fsspec
from botocore.exceptions import BotoCoreError, HTTPClientError, NoCredentialsError
from botocore.exceptions import ConnectionError as BotoConnectionError

from tasks.errors import IntegrityError, MissingStoreError, NetworkError, StoreError, UserError

MANIFEST = "manifest.json"
TRANSFERS = 4
"""Files on their way at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """One file of a result: its path inside the folder, its bytes and their SHA-256."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What vouches for a stored folder."""

    stage: str
    key: str
    record: dict[str, Any]
    """The stage's record, as `Record.as_json` gives it."""
    ancestors: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The records of all earlier stages, by stage: what a reader needs when their folders are gone."""
    settings: dict[str, Any] = field(default_factory=dict)
    """What went into the key."""
    files: list[StoredFile] = field(default_factory=list)
    """Filled by `Store.commit`, unless the caller has hashed them already."""
    versions: dict[str, str] = field(default_factory=dict)
    """The libraries that made it, filled by `Store.commit`."""

    def dump(self) -> bytes:
        """The manifest as JSON bytes, with its own SHA-256 as the last member."""
        body = asdict(self)
        return json.dumps(body | {"sha256": _digest_of(body)}, indent=1, sort_keys=True).encode()

    @classmethod
    def load(cls, raw: bytes) -> "Manifest":
        """The manifest in `raw`.

        Raises:
            IntegrityError: it is torn, altered, or names a file outside its folder.
        """
        try:
            body = json.loads(raw)
            claimed = body.pop("sha256")
            if claimed != _digest_of(body):
                raise IntegrityError("the manifest's own SHA-256 does not hold")
            manifest = cls(**(body | {"files": [StoredFile(**entry) for entry in body["files"]]}))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise IntegrityError(f"the manifest cannot be read: {error}") from error
        for entry in manifest.files:
            path = PurePosixPath(entry.name)
            if path.is_absolute() or ".." in path.parts or "\\" in entry.name or entry.name == MANIFEST:
                raise IntegrityError(f"the manifest names a file outside its folder: {entry.name!r}")
        return manifest


class Store:
    """Results under one URL: `file:///folder`, a plain folder, or `s3://bucket/prefix`.

    Raises:
        UserError: the URL's protocol is not one of these.
    """

    def __init__(self, url: str) -> None:
        protocol, separator, path = url.partition("://")
        if not separator:
            protocol, path = "file", url
        if protocol not in ("file", "s3"):
            raise UserError(f"store {url!r} has the protocol {protocol!r}: use a folder, file:// or s3://")
        if protocol == "file":
            root = Path(path).expanduser().absolute()
            self.url = root.as_uri()
            self._root = str(root)
        else:
            if not path.strip("/"):
                raise UserError(f"store {url!r} names no bucket: use s3://bucket/prefix")
            self._root = path.strip("/")
            self.url = f"s3://{self._root}"
        self.protocol = protocol
        # A cached listing would hide what another machine wrote a moment ago.
        options = {"use_listings_cache": False} if protocol == "s3" else {"auto_mkdir": True}
        self._fs = fsspec.filesystem(protocol, **options)

    def uri(self, *parts: str) -> str:
        """The URI of something in the store."""
        return "/".join((self.url, *parts))

    def check(self, *, write: bool) -> None:
        """See that the store can be read and, if asked, written; leaves nothing behind.

        Raises:
            MissingStoreError: the bucket, the permission or the credentials are not there.
        """
        with self._explained("reached"):
            if self.protocol == "s3":
                self._fs.ls(self._root.split("/")[0], refresh=True)
            if write:
                probe = f"{self._root}/.probe-{os.getpid()}-{os.urandom(4).hex()}"
                self._put_bytes(probe, b"docs-mlm can write here")
                self._fs.rm_file(probe)

    def manifest(self, uri: str) -> Manifest | None:
        """The manifest of a complete folder at `uri`, or None where there is none that is whole.

        Sizes are checked here, hashes when the files are fetched.
        """
        try:
            return self.inspect(uri)
        except IntegrityError:
            return None

    def inspect(self, uri: str) -> Manifest | None:
        """The manifest at `uri`, or None where there is no manifest at all.

        Raises:
            IntegrityError: there is one, but it is torn, altered, or its files are not those it names.
        """
        with self._explained("read"):
            try:
                raw = self._fs.cat_file(f"{self._path(uri)}/{MANIFEST}")
            except (FileNotFoundError, NotADirectoryError):
                return None
            manifest = Manifest.load(raw)
            there = self._fs.find(self._path(uri), detail=True)
        sizes = {name.removeprefix(self._path(uri) + "/"): info["size"] for name, info in there.items()}
        for file in manifest.files:
            if sizes.get(file.name) != file.size:
                raise IntegrityError(f"{uri}/{file.name} has {sizes.get(file.name)} bytes, not {file.size}")
        return manifest

    def commit(self, folder: Path, uri: str, manifest: Manifest) -> Manifest:
        """Copy the files of `folder` to `uri`, the manifest last, and return what was written.

        A folder that is already complete at `uri` is left as it is: equal keys mean equal results.

        Raises:
            StoreError: the store refused, or holds other sizes than were sent.
        """
        if existing := self.manifest(uri):
            return existing
        files = manifest.files or stored_files(folder)
        manifest = replace(manifest, files=files, versions=_versions())
        with self._explained("written"), ThreadPoolExecutor(TRANSFERS) as pool:
            list(pool.map(lambda f: self._put(folder / f.name, f"{self._path(uri)}/{f.name}"), files))
            self._put_bytes(f"{self._path(uri)}/{MANIFEST}", manifest.dump())
        if self.manifest(uri) is None:
            raise StoreError(f"{uri} is not whole after writing it: run again, and check the store")
        return manifest

    def fetch(self, uri: str, destination: Path) -> Path:
        """Copy a committed folder to `destination`, every byte hashed; a whole earlier copy is used as it is.

        Raises:
            IntegrityError: bytes differ from what the manifest vouches for.
            StoreError: there is no complete folder at `uri`.
        """
        manifest = self.manifest(uri)
        if manifest is None:
            raise StoreError(f"nothing complete is stored at {uri}")
        if destination.is_dir():
            if all(_matches(destination / f.name, f) for f in manifest.files):
                return destination
            shutil.rmtree(destination)
        destination.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=destination.parent, prefix=".fetch-") as name:
            partial = Path(name) / "whole"
            partial.mkdir()
            for file in manifest.files:
                (partial / file.name).parent.mkdir(parents=True, exist_ok=True)
            with self._explained("read"), ThreadPoolExecutor(TRANSFERS) as pool:
                source = self._path(uri)
                list(
                    pool.map(
                        lambda f: self._fs.get_file(f"{source}/{f.name}", str(partial / f.name)),
                        manifest.files,
                    )
                )
            for file in manifest.files:
                if not _matches(partial / file.name, file):
                    raise IntegrityError(
                        f"{uri}/{file.name} differs from its manifest: run `docs-mlm verify`"
                    )
            partial.rename(destination)
        return destination

    def read_json(self, uri: str) -> dict[str, Any] | None:
        """A small JSON object that is not part of any folder (such as `latest.json`), or None."""
        with self._explained("read"):
            try:
                loaded = json.loads(self._fs.cat_file(self._path(uri)))
            except (FileNotFoundError, ValueError):
                return None
        return loaded if isinstance(loaded, dict) else None

    def write_json(self, uri: str, value: dict[str, Any]) -> None:
        """Write a small JSON object in one piece."""
        with self._explained("written"):
            self._put_bytes(self._path(uri), json.dumps(value, indent=1, sort_keys=True).encode())

    def folders(self, uri: str) -> list[str]:
        """The names of the folders directly under `uri`, whole or not."""
        with self._explained("read"):
            try:
                entries = self._fs.ls(self._path(uri), detail=True)
            except FileNotFoundError:
                return []
        return sorted(e["name"].rstrip("/").rsplit("/", 1)[-1] for e in entries if e["type"] == "directory")

    def remove(self, uri: str) -> None:
        """Delete a folder, its manifest first, so that it is never half there."""
        with self._explained("written"):
            with suppress(FileNotFoundError):
                self._fs.rm_file(f"{self._path(uri)}/{MANIFEST}")
            self._fs.rm(self._path(uri), recursive=True)

    def _path(self, uri: str) -> str:
        if uri != self.url and not uri.startswith(self.url + "/"):
            raise UserError(f"{uri} is not in the store {self.url}")
        return self._root + uri.removeprefix(self.url)

    def _put(self, local: Path, remote: str) -> None:
        if self.protocol == "file":
            Path(remote).parent.mkdir(parents=True, exist_ok=True)
            partial = f"{remote}.{os.urandom(4).hex()}.partial"
            shutil.copyfile(local, partial)
            Path(partial).replace(remote)
        else:
            # The client's own defaults would take 1 GB of memory for a file of 880 MB.
            self._fs.put_file(str(local), remote, chunksize=16 << 20, max_concurrency=4)

    def _put_bytes(self, remote: str, content: bytes) -> None:
        if self.protocol == "file":
            Path(remote).parent.mkdir(parents=True, exist_ok=True)
            partial = Path(f"{remote}.{os.urandom(4).hex()}.partial")
            partial.write_bytes(content)
            partial.replace(remote)
        else:
            self._fs.pipe_file(remote, content)

    @contextmanager
    def _explained(self, verb: str) -> Iterator[None]:
        """Turn what the file systems raise into one clear error."""
        try:
            yield
        except OSError as error:
            raise explain(error, self.url, verb) from error
        except BotoCoreError as error:
            raise explain(error, self.url, verb) from error


def explain(error: Exception, url: str, verb: str) -> StoreError | NetworkError:
    """The clear error for what a file system raised while the store at `url` was being `verb`."""
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return StoreError(f"no space left while the store {url} was being {verb}: free some, then run again")
    if isinstance(error, NoCredentialsError):
        return MissingStoreError(
            f"no S3 credentials for {url}: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
        )
    if isinstance(error, BotoConnectionError | HTTPClientError | ConnectionError | TimeoutError):
        kind = type(error).__name__
        return NetworkError(
            f"the store {url} does not answer ({kind}): check the network and AWS_ENDPOINT_URL"
        )
    if isinstance(error, PermissionError):
        return MissingStoreError(
            f"the store {url} cannot be {verb}: permission denied; "
            "check the folder's rights or the AWS_* credentials"
        )
    if isinstance(error, FileNotFoundError | NotADirectoryError | FileExistsError):
        return MissingStoreError(
            f"the store {url} cannot be {verb}: {error.strerror or error}; "
            "create it, or choose another with --store"
        )
    return StoreError(f"the store {url} cannot be {verb}: {error}")


def stored_files(folder: Path) -> list[StoredFile]:
    """Every file under `folder` but its own manifest, hashed."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    names = [path.relative_to(folder).as_posix() for path in paths]
    return [_stored_file(folder / name, name) for name in names if name != MANIFEST]


def intact(folder: Path, files: list[StoredFile]) -> bool:
    """Whether `folder` holds each of `files`, by size and SHA-256."""
    return all(_matches(folder / file.name, file) for file in files)


def _stored_file(path: Path, name: str) -> StoredFile:
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return StoredFile(name=name, size=path.stat().st_size, sha256=digest)


def _matches(path: Path, file: StoredFile) -> bool:
    return path.is_file() and path.stat().st_size == file.size and _stored_file(path, file.name) == file


def _digest_of(body: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def _versions() -> dict[str, str]:
    return {name: version(name) for name in ("docs-mlm", "datasets", "tokenizers", "torch", "transformers")}
