"""Which model is the newest, of a store and of each of its lines: small pointers that every run sees to.

    models/latest.json          the newest of all
    models/latest-SLUG.json     the newest of a line

So a plan asks for a few objects, however many versions there are. `latest.json` names its model's line where
whoever wrote it keeps the lines' pointers too: a line that has none then has no model. Where an earlier
version of docs-mlm wrote it last, no line's pointer is believed: the manifests are read instead, and the next
run sets them right.
"""

import logging
import re
from collections.abc import Iterator
from typing import Any

from tasks.errors import IntegrityError
from tasks.models.lines import Line, line_of
from tasks.records import PublishedModel
from tasks.store.folders import Store
from tasks.store.manifest import Manifest
from tasks.store.parallel import each

LATEST = "latest.json"
LINE = "line"
"""The member of a pointer that has the slug of its model's line."""
READERS = 8
"""Manifests on their way at once, where all of them are read."""
_POINTER = re.compile(r"latest-([a-z0-9-]+)\.json")
_LOG = logging.getLogger("docs_mlm")


def newest_model(store: Store) -> Manifest | None:
    """The manifest of the newest published model, or None; a warning where `latest.json` is wrong."""
    return next(newest_first(store), None)


def newest_of(store: Store, line: Line) -> Manifest | None:
    """The manifest of a line's newest model, or None; a warning where its pointer is wrong."""
    return next(newest_first(store, line), None)


def latest_uri(store: Store, line: Line | None = None) -> str | None:
    """Where a pointer says that the newest model lies, of all or of a line, whether it is there or not."""
    latest = store.read_json(_pointer(store, line))
    # By its key, not its URI: a store that was copied elsewhere is as good as where it was made.
    return store.uri("models", str(latest["key"])) if latest and "key" in latest else None


def to_verify(store: Store) -> list[str]:
    """The newest model's URI, and that which `latest.json` names where it is damaged."""
    newest, pointed = newest_model(store), latest_uri(store)
    uris = [store.uri("models", newest.key)] if newest is not None else []
    if pointed is not None and pointed not in uris:
        try:
            store.inspect(pointed)
        except IntegrityError:
            uris.append(pointed)
    return uris


def lines_of(store: Store) -> list[Line]:
    """The lines that have models, by their names."""
    found: set[Line] = set()
    if _keeps_lines(store):
        for name in store.names(store.uri("models")):
            if known := _POINTER.fullmatch(name):
                line = Line.from_json(store.read_json(store.uri("models", name)) or {})
                found |= {line} if line is not None and line.slug == known[1] else set()
    else:
        found = {line for _, line in whole_models(store)}
    return sorted(found, key=lambda line: (line.name, line.slug))


def newest_first(store: Store, line: Line | None = None) -> Iterator[Manifest]:
    """The model that a pointer names, and then whatever else is whole, of the line if given: newest first."""
    if line is not None and not _keeps_lines(store):
        yield from _without_pointer(store, line)
        return
    pointer, pointed = _pointer(store, line), latest_uri(store, line)
    if pointed is None and not store.exists(pointer):
        return
    named = store.manifest(pointed) if pointed is not None else None
    if named is not None and line is not None and line_of(store, named) != line:
        named = None
    if named is not None:
        yield named
    for found, _ in whole_models(store, line):
        if named is None or found.key != named.key:
            uri, version = store.uri("models", found.key), found.record["version"]
            _LOG.warning(
                "%s names %s, which is not there whole: taking version %s at %s, the newest that is",
                *(pointer.rpartition("/")[2], pointed or "no model", version, uri),
            )
            yield found


def whole_models(store: Store, line: Line | None = None) -> list[tuple[Manifest, Line]]:
    """All whole versions, of the line if given, and the line of each; newest first."""
    found: list[tuple[Manifest, Line]] = []

    def read(key: str) -> None:
        manifest = store.manifest(store.uri("models", key))
        if manifest is not None and "version" in manifest.record:
            found.append((manifest, line_of(store, manifest)))

    each(read, store.folders(store.uri("models")), threads=READERS)
    chosen = [(manifest, its) for manifest, its in found if line in (None, its)]
    return sorted(chosen, key=lambda model: str(model[0].record["version"]), reverse=True)


def move_latest(store: Store, model: PublishedModel) -> bool:
    """Point `latest.json`, and the line's pointer, at `model` unless they point at a newer one that is there.

    Whether `latest.json` names another model now. Done at the end of every run, not only of the one that
    published: a run that died between the two is put right by the next.
    """
    latest = store.read_json(_pointer(store)) or {}
    if LINE in latest:
        own = _line_of_key(store, model.key)
        newest = {own: model.as_json()} if own is not None else {}
    else:  # nobody has kept the pointers up to now
        newest = {line: manifest.record for manifest, line in reversed(whole_models(store))}
    for line, record in newest.items():
        if (moved := _moved(store, record, line)) is not None:
            store.write_json(_pointer(store, line), moved | line.as_json() | {LINE: line.slug})
    moved = _moved(store, model.as_json())
    if moved is None and LINE in latest:
        return False
    says = moved or latest
    its = _line_of_key(store, says.get("key"))
    store.write_json(_pointer(store), says | ({LINE: its.slug} if its is not None else {}))
    return moved is not None


def _moved(store: Store, model: dict[str, Any], line: Line | None = None) -> dict[str, Any] | None:
    """What a pointer is to name now that `model` is there; None where it stays as it is."""
    latest, pointed = store.read_json(_pointer(store, line)), latest_uri(store, line)
    if latest is None or str(latest.get("version", "")) < model["version"]:
        return model
    if pointed is None or store.manifest(pointed) is not None:
        return None
    # What it points at is gone. `model` may be an old one that was reused.
    newest = next((found.record for found, _ in whole_models(store, line)), None)
    return newest if newest is not None and str(newest["version"]) > model["version"] else model


def _pointer(store: Store, line: Line | None = None) -> str:
    return store.uri("models", LATEST if line is None else f"latest-{line.slug}.json")


def _keeps_lines(store: Store) -> bool:
    """Whether every line's pointer is at its newest model, and a line without a pointer has none."""
    latest = store.read_json(_pointer(store))
    return LINE in latest if latest is not None else not store.exists(_pointer(store))


def _without_pointer(store: Store, line: Line) -> Iterator[Manifest]:
    """A line's models where an earlier version published last; if it is the newest's, nothing is searched."""
    newest = newest_model(store)
    of_line = newest is not None and line_of(store, newest) == line
    if newest is not None and of_line:
        yield newest
    yield from (
        found
        for found, _ in whole_models(store, line)
        if not (of_line and newest is not None and found.key == newest.key)
    )


def _line_of_key(store: Store, key: Any) -> Line | None:
    """The line of a model, if it is there whole."""
    manifest = store.manifest(store.uri("models", str(key))) if key else None
    return line_of(store, manifest) if manifest is not None else None
