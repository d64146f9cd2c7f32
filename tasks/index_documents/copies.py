"""Copies of stored files in the work folder that a search may trust without hashing them each time.

What is fetched is hashed as ever. Beside a copy stands what each of its files was then (its size, the time of
its last change, and the SHA-256 of the manifest): as long as that holds, nobody has written to it.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

from tasks.index_documents.choosing import ITSELF
from tasks.records import PublishedModel
from tasks.store.folders import Store
from tasks.store.local import discard
from tasks.store.manifest import Manifest, StoredFile, is_intact


def index_folder(store: Store, index: Manifest, work_dir: Path) -> Path:
    """A copy of an index.

    Raises:
        IntegrityError: its bytes differ from what its manifest vouches for.
    """
    return _copied(store, index, index.files, work_dir / "fetched" / index.stage / index.key)


def model_folder(store: Store, model: Manifest, within: str, work_dir: Path) -> Path:
    """A copy of the model that makes the vectors, and of no other file of the published folder.

    Args:
        within: its folder in the published one, `.` for that itself.

    Raises:
        IntegrityError: its bytes differ from what its manifest vouches for.
    """
    inner = f"{PublishedModel.RETRIEVAL}/"
    files = [file for file in model.files if file.name.startswith(inner) != (within == ITSELF)]
    place = work_dir / "fetched" / "searched" / f"{model.key}-{'itself' if within == ITSELF else within}"
    return _copied(store, model, files, place) / within


def _copied(store: Store, manifest: Manifest, files: list[StoredFile], place: Path) -> Path:
    uri, note = store.uri(manifest.stage, manifest.key), place.with_name(f"{place.name}.json")
    known = _read(note)
    if all(known.get(file.name, ()) == _told(place / file.name, file) for file in files):
        return place
    named = {file.name for file in files}
    if {path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file()} - named:
        discard(place)  # a library might read what is no part of it
    for file in files:
        if not is_intact(place / file.name, file):
            _fetch(store, uri, file, place)
    told = {file.name: now for file in files if (now := _told(place / file.name, file)) is not None}
    note.write_text(json.dumps(told), encoding="utf-8")
    return place


def _fetch(store: Store, uri: str, file: StoredFile, place: Path) -> None:
    """Fetch one file; another process that does the same is not disturbed."""
    (place / file.name).parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent, prefix=".fetch-") as folder:
        (Path(folder) / file.name).parent.mkdir(parents=True, exist_ok=True)
        if (fetched := store.fetch_file(uri, file.name, Path(folder))) is not None:
            fetched.replace(place / file.name)


def _told(path: Path, file: StoredFile) -> list[Any] | None:
    """What is noted of a copy; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return [found.st_size, found.st_mtime_ns, file.sha256] if found.st_size == file.size else None


def _read(note: Path) -> dict[str, Any]:
    try:
        known = json.loads(note.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}
