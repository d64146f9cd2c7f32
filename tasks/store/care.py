"""Looking after a store: `verify` re-hashes what is stored, `sweep` finds what crashed runs left behind."""

import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

from tasks.errors import IntegrityError
from tasks.records import STAGES
from tasks.store.faults import explained
from tasks.store.manifest import MANIFEST, StoredFile
from tasks.store.marker import FOLDERS, is_own, is_temporary
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


def sweep(
    store: "Store", *, older_than: float = DAY, remove: bool = True, only: Collection[str] | None = None
) -> list[Leftover]:
    """Leftovers of crashed runs that are older than `older_than` seconds, deleted unless `remove` is false.

    A folder counts by its newest file, so that one that is still being written is never touched. What has a
    manifest is never a leftover, damaged or not: that is for `verify` and a person to decide. Looked at is
    only what has a name that the store gives, in the stages' folders; what holds a symbolic link stays.

    Args:
        only: the URIs of those that may go, where a person was asked about them.

    Raises:
        UserError: this is no store of docs-mlm, or one of a later version.
    """
    store.require()
    with explained(store.url, "read"):
        entries = store.objects.own("", deep=False)
        for stage in FOLDERS:
            entries |= {f"{stage}/{name}": entry for name, entry in store.objects.own(stage).items()}
    now, found = time.time(), []
    for top, names in sorted(_groups(entries).items()):
        age, uri = now - max(entries[name].modified for name in names), store.uri(top)
        if age <= older_than or (only is not None and uri not in only):
            continue
        if any(entries[name].is_link for name in names):
            continue
        size = sum(entries[name].size for name in names)
        kind: Literal["folder", "file"] = "file" if names == [top] else "folder"
        found.append(Leftover(uri=uri, kind=kind, files=len(names), bytes=size, age_s=age))
        if remove:
            with explained(store.url, "written"):
                (store.objects.remove if kind == "file" else store.objects.remove_below)(top)

    def may_go(name: str) -> bool:
        return is_own(name) and (only is None or store.uri(name) in only)

    with explained(store.url, "read"):
        uploads = store.objects.unfinished(may_go, older_than, remove=remove)
    return found + [
        Leftover(uri=store.uri(name), kind="upload", files=1, bytes=0, age_s=age)
        for name, age in sorted(uploads.items())
    ]


def _groups(entries: Iterable[str]) -> dict[str, list[str]]:
    """The names that no manifest vouches for, by the highest folder that nothing vouches for."""
    paths = [PurePosixPath(name) for name in entries]
    whole = {path.parent for path in paths if path.name == MANIFEST and not is_temporary(str(path.parent))}
    above = {parent for folder in whole for parent in folder.parents}
    groups: dict[str, list[str]] = {}
    for path in paths:
        if (top := _leftover_top(path, whole, above)) is not None:
            groups.setdefault(str(top), []).append(str(path))
    return groups


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
        if is_temporary(str(folder)):
            return folder
        if folder in whole:
            return None
        if folder is not path and is_own(str(folder)) and folder not in above:
            return folder
    return None
