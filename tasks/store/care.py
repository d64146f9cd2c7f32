"""Looking after a store: `verify` re-hashes what is stored, `sweep` finds what crashed runs left behind."""

import time
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

from tasks.errors import IntegrityError
from tasks.records import STAGES
from tasks.store.faults import explained
from tasks.store.manifest import MANIFEST, StoredFile
from tasks.store.parallel import each

if TYPE_CHECKING:
    from tasks.store.folders import Store

DAY = 86_400.0
_THREADS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderReport:
    """What re-hashing one stored folder found."""

    uri: str
    state: Literal["intact", "damaged", "missing"]
    """`missing` for an ancestor is no fault: its record is enough, and a run makes it again where needed."""
    files: int = 0
    bytes: int = 0
    problems: tuple[str, ...] = ()
    """In a user's words, one a damaged or missing file."""
    unlisted: tuple[str, ...] = ()
    """Files that lie in the folder but are not in its manifest; nothing here ever reads them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """Something that no manifest vouches for and nobody has written to for a while."""

    uri: str
    kind: Literal["folder", "file", "upload"]
    files: int
    bytes: int
    age_s: float
    """Seconds since its newest file was written."""


def verify(store: "Store", uri: str) -> list[FolderReport]:
    """Re-hash every file of `uri` and of its chain of ancestors; the folder itself comes first.

    Raises:
        UserError: `uri` is not in the store.
        NetworkError: the store does not answer.
    """
    report, ancestors = _verify_folder(store, uri)
    reports = [report]
    # A manifest's members are sorted by name, and a person reads a chain in its own order.
    known = {stage: place for place, stage in enumerate(STAGES)}
    for stage, record in sorted(ancestors.items(), key=lambda item: -known.get(item[0], 0)):
        place = store.uri(stage, str(record.get("key")))
        reports.append(_verify_folder(store, place)[0])
    return reports


def sweep(store: "Store", *, older_than: float = DAY, remove: bool = True) -> list[Leftover]:
    """Leftovers of crashed runs that are older than `older_than` seconds, deleted unless `remove` is false.

    A folder counts by its newest file, so that one that is still being written is never touched. What has a
    manifest is never a leftover, damaged or not: that is for `verify` and a person to decide. Small JSON
    files beside stored folders (`latest.json`) stay.
    """
    with explained(store.url, "read"):
        entries = store.objects.entries("")
    paths = [PurePosixPath(name) for name in entries]
    whole = {path.parent for path in paths if path.name == MANIFEST and not _is_temporary(path)}
    above = {parent for folder in whole for parent in folder.parents}
    groups: dict[PurePosixPath, list[str]] = {}
    for path in paths:
        if (top := _leftover_top(path, whole, above)) is not None:
            groups.setdefault(top, []).append(str(path))
    now, found = time.time(), []
    for top, names in sorted(groups.items()):
        age = now - max(entries[name].modified for name in names)
        if age <= older_than:
            continue
        size = sum(entries[name].size for name in names)
        is_file = names == [str(top)]
        kind: Literal["folder", "file"] = "file" if is_file else "folder"
        found.append(Leftover(uri=store.uri(str(top)), kind=kind, files=len(names), bytes=size, age_s=age))
        if remove:
            with explained(store.url, "written"):
                (store.objects.remove if is_file else store.objects.remove_below)(str(top))
    with explained(store.url, "read"):
        uploads = store.objects.unfinished("", older_than, remove=remove)
    return found + [
        Leftover(uri=store.uri(name), kind="upload", files=1, bytes=0, age_s=age)
        for name, age in sorted(uploads.items())
    ]


def _verify_folder(store: "Store", uri: str) -> tuple[FolderReport, dict[str, dict[str, Any]]]:
    try:
        manifest = store.inspect(uri)
    except IntegrityError as error:
        return FolderReport(uri=uri, state="damaged", problems=(str(error),)), {}
    if manifest is None:
        return FolderReport(uri=uri, state="missing"), {}
    path, problems = store.path(uri), list[str]()

    def check(file: StoredFile) -> None:
        try:
            found = replace(file, sha256=store.objects.sha256(f"{path}/{file.name}", file.size))
        except FileNotFoundError:
            problems.append(f"{file.name} is missing")
        else:
            if found != file:
                problems.append(f"{file.name} has SHA-256 {found.sha256[:16]}…, not {file.sha256[:16]}…")

    with explained(store.url, "read"):
        each(check, manifest.files, threads=_THREADS)
        listed = {MANIFEST, *(file.name for file in manifest.files)}
        unlisted = tuple(sorted(set(store.objects.entries(path)) - listed))
    report = FolderReport(
        uri=uri,
        state="damaged" if problems else "intact",
        files=len(manifest.files),
        bytes=sum(file.size for file in manifest.files),
        problems=tuple(sorted(problems)),
        unlisted=unlisted,
    )
    return report, manifest.ancestors


def _leftover_top(
    path: PurePosixPath, whole: set[PurePosixPath], above: set[PurePosixPath]
) -> PurePosixPath | None:
    """The highest folder around `path` (or the file itself) that nothing vouches for; None if it belongs."""
    for folder in (*reversed(path.parents), path):
        if _is_temporary(folder):
            return folder
        if folder in whole:
            return None
        if folder is not path and len(folder.parts) >= 2 and folder not in above:
            return folder
    return None


def _is_temporary(path: PurePosixPath) -> bool:
    """Whether the store itself gave it a name for the time of a write, a probe or a lease."""
    return path.name.startswith(".probe-") or path.suffix in (".partial", ".lease")
