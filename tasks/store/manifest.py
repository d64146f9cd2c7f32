"""What vouches for a stored folder: the names, sizes and SHA-256 of its files, and where they came from."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Any

from tasks.errors import IntegrityError

MANIFEST = "manifest.json"


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
            IntegrityError: it is torn, altered, or names a file outside its folder or a key that is no name.
        """
        try:
            body = json.loads(raw)
            claimed = body.pop("sha256")
            if claimed != _digest_of(body):
                raise IntegrityError("the manifest's own SHA-256 does not hold")
            manifest = cls(**(body | {"files": [StoredFile(**entry) for entry in body["files"]]}))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise IntegrityError(f"the manifest cannot be read: {error}") from error
        records = manifest.ancestors if isinstance(manifest.ancestors, dict) else {"": None}
        if not all(isinstance(record, dict) for record in (manifest.record, *records.values())):
            raise IntegrityError("the manifest holds records of another form")
        # Keys become the names of folders on this machine too: `/home/me` would be one of those.
        keys = [record["key"] for record in (manifest.record, *records.values()) if "key" in record]
        if not all(_is_inside(key) for key in (manifest.stage, manifest.key, *keys)):
            raise IntegrityError("the manifest holds a key that is no name")
        for entry in manifest.files:
            if not _is_inside(entry.name):
                raise IntegrityError(f"the manifest names a file outside its folder: {entry.name!r}")
            if type(entry.size) is not int or entry.size < 0:
                raise IntegrityError(f"the manifest gives {entry.name!r} the size {entry.size!r}")
        return manifest


def stored_files(folder: Path) -> list[StoredFile]:
    """Every file under `folder` but its own manifest, hashed."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    names = [path.relative_to(folder).as_posix() for path in paths]
    return [hashed(folder / name, name) for name in names if name != MANIFEST]


def intact(folder: Path, files: list[StoredFile]) -> bool:
    """Whether `folder` holds each of `files`, by size and SHA-256."""
    return all(is_intact(folder / file.name, file) for file in files)


def is_intact(path: Path, file: StoredFile) -> bool:
    """Whether `path` is `file`, by size and SHA-256."""
    return path.is_file() and path.stat().st_size == file.size and hashed(path, file.name) == file


def hashed(path: Path, name: str) -> StoredFile:
    """The file at `path`, to be stored as `name`."""
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return StoredFile(name=name, size=path.stat().st_size, sha256=digest)


def library_versions() -> dict[str, str]:
    """The libraries that decide what a stage makes, for its manifest."""
    return {name: version(name) for name in ("docs-mlm", "datasets", "tokenizers", "torch", "transformers")}


def _is_inside(name: Any) -> bool:
    if not isinstance(name, str) or not name or "\\" in name or "\0" in name or name == MANIFEST:
        return False
    path = PurePosixPath(name)
    # `a//b`, `./a` and `a/` are other spellings of a name that the store knows by one.
    return name != "." and not path.is_absolute() and ".." not in path.parts and path.as_posix() == name


def _digest_of(body: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
