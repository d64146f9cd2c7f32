"""How a store knows itself: a small object at its root, without which nothing in it is ever deleted.

The first commit writes it. A store of an earlier version, which has none, is known by its manifests: one that
holds, in the place that it names, is enough.
"""

import json
import re

from tasks.errors import IntegrityError, UserError
from tasks.records import STAGES
from tasks.store.manifest import MANIFEST, Manifest
from tasks.store.objects import Objects

MARKER = "docs-mlm-store.json"
FORMAT = 1
"""Of the store as a whole: raise it when what lies there can no longer be read by an earlier version."""
FOLDERS = (*STAGES, "checkpoints")
"""All that a store has, besides its marker and the names of its own that last for the time of a write."""

_KEY = "[0-9a-f]{32}"
_STAGE = f"(?:{'|'.join(FOLDERS)})"
_PARTIAL = r"\.[0-9a-f]{8}\.partial"
_OWN = re.compile(f"{_STAGE}/{_KEY}(?:/.+)?", re.DOTALL)
_TEMPORARY = re.compile(
    rf"\.probe-\d+-[0-9a-f]{{8}}|\.(?:\.probe-\d+-[0-9a-f]{{8}}|{re.escape(MARKER)}){_PARTIAL}"
    rf"|{_STAGE}/{_KEY}\.lease|{_STAGE}/\.(?:{_KEY}|{_KEY}\.lease|latest(?:-[a-z0-9-]+)?\.json){_PARTIAL}"
    rf"|{_STAGE}/{_KEY}/(?:.+/)?\.[^/]+{_PARTIAL}",
    re.DOTALL,
)


def mark(objects: Objects, url: str) -> None:
    """Leave the marker in the store at `url`, unless it is there.

    Raises:
        UserError: a later version of docs-mlm wrote it.
    """
    if not is_marked(objects, url):
        about = "docs-mlm keeps its results here, and deletes nothing in a folder without this file"
        objects.write(MARKER, json.dumps({"about": about, "format": FORMAT}, indent=1).encode())


def is_marked(objects: Objects, url: str) -> bool:
    """Whether the marker is there; what is no JSON object counts for none.

    Raises:
        UserError: a later version of docs-mlm wrote it.
    """
    try:
        marker = json.loads(objects.read(MARKER))
    except (FileNotFoundError, ValueError, RecursionError):
        return False
    if not isinstance(marker, dict):
        return False
    known = marker.get("format")
    if type(known) is not int or not 1 <= known <= FORMAT:
        raise UserError(
            f"the store {url} has the format {known!r} in {MARKER}, and this version of docs-mlm knows up to "
            f"{FORMAT}: upgrade docs-mlm, or choose another with --store"
        )
    return True


def require(objects: Objects, url: str) -> None:
    """See that the place at `url` is a store of ours, before anything in it is deleted.

    Raises:
        UserError: it is none, or one of a later version.
    """
    if not is_marked(objects, url) and not _has_results(objects):
        raise UserError(
            f"{url} is no store of docs-mlm: it has no {MARKER} and no result with a manifest, so nothing in "
            "it is deleted; give the store's own folder with --store (the first result that is stored "
            f"there writes {MARKER})"
        )


def is_own(path: str) -> bool:
    """Whether a path is one of a result or a checkpoint, as no user names a folder."""
    return _OWN.fullmatch(path) is not None


def is_temporary(path: str) -> bool:
    """Whether the store itself gives such a name for the time of a write, a probe or a lease."""
    return _TEMPORARY.fullmatch(path) is not None


def _has_results(objects: Objects) -> bool:
    for stage in FOLDERS:
        for name in objects.folders(stage):
            inner = objects.folders(f"{stage}/{name}") if stage == "checkpoints" else [""]
            places = [f"{stage}/{name}/{part}".rstrip("/") for part in inner]
            if any(_is_result(objects, place) for place in places):
                return True
    return False


def _is_result(objects: Objects, place: str) -> bool:
    try:
        manifest = Manifest.load(objects.read(f"{place}/{MANIFEST}"))
    except (FileNotFoundError, IntegrityError):
        return False
    return place == f"{manifest.stage}/{manifest.key}"
