"""What has been published: the newest model, and all versions with their figures."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.errors import IntegrityError, UserError
from tasks.records import PublishedModel
from tasks.store.folders import Store
from tasks.store.local import discard
from tasks.store.manifest import MANIFEST, Manifest, is_intact
from tasks.store.marker import MARKER, is_own

LATEST = "latest.json"
_LOG = logging.getLogger("docs_mlm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One published version, with the figures that a person compares."""

    version: str
    uri: str
    source: str
    commit_sha: str
    documents: int
    steps: int
    loss_before: float | None
    loss_after: float | None
    accuracy: float | None


def newest_model(store: Store) -> Manifest | None:
    """The manifest of the newest published model, or None; a warning where `latest.json` is wrong."""
    return next(_newest_first(store), None)


def latest_uri(store: Store) -> str | None:
    """Where `latest.json` says that the newest model lies, whether it is there or not."""
    latest = store.read_json(store.uri("models", LATEST))
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


def _newest_first(store: Store) -> Iterator[Manifest]:
    """The model that `latest.json` names, and then whatever else is whole, the newest first."""
    pointed = latest_uri(store)
    if pointed is None and not store.exists(store.uri("models", LATEST)):
        return
    named = store.manifest(pointed) if pointed is not None else None
    if named is not None:
        yield named
    for found in _whole(store):
        if named is None or found.key != named.key:
            uri, version = store.uri("models", found.key), found.record["version"]
            _LOG.warning(
                "%s names %s, which is not there whole: taking version %s at %s, the newest that is",
                *(LATEST, pointed or "no model", version, uri),
            )
            yield found


def _whole(store: Store) -> list[Manifest]:
    """The manifests of all whole versions, newest first."""
    manifests = [store.manifest(store.uri("models", key)) for key in store.folders(store.uri("models"))]
    found = [manifest for manifest in manifests if manifest and "version" in manifest.record]
    return sorted(found, key=lambda manifest: str(manifest.record["version"]), reverse=True)


def list_versions(store: Store) -> list[Version]:
    """All complete published versions, oldest first."""
    return [_version(store, manifest) for manifest in reversed(_whole(store))]


def local_model(store: Store, model: str | None, work_dir: Path) -> Path:
    """A local folder with a model, every byte hashed where a store knows what it is to be.

    That is the store's newest, one of its versions or URIs, or any folder.

    Raises:
        UserError: there is no such model, or a folder has only pickled weights.
        IntegrityError: its bytes differ from what its manifest vouches for.
    """
    if model is not None and (folder := Path(model).expanduser()).is_dir():
        if not list(folder.glob("model*.safetensors")):
            raise UserError(
                f"{folder} has no model.safetensors, and pickled weights are not loaded: "
                "save the model with safe_serialization=True"
            )
        check_stored(folder.resolve())
        return folder
    if model is None:
        return _newest_local(store, work_dir)
    if "://" in model:
        base, _, key = model.rstrip("/").rpartition("/models/")
        store = Store(base or model)
        uri = store.uri("models", key)
    else:
        match = [known for known in list_versions(store) if known.version == model]
        if not match:
            raise UserError(
                f"{model!r} is neither a folder nor a version in {store.url}: see `docs-mlm models`"
            )
        uri = match[0].uri
    manifest = store.manifest(uri)
    if manifest is None:
        raise UserError(f"there is no complete model at {uri}: `docs-mlm models` lists those that are")
    return _fetched(store, manifest, work_dir)


def check_stored(folder: Path) -> None:
    """See that a folder of a store, or a copy of one, holds what its manifest vouches for.

    Any other folder passes: what it is to hold, nobody has said.

    Raises:
        IntegrityError: it holds something else.
    """
    for top in (folder, folder.parent):  # a training's model is a folder of it
        place = top.parts[-3:] if top.parts[-3:-2] == ("checkpoints",) else top.parts[-2:]
        stands = is_own("/".join(place))
        try:
            manifest = Manifest.load((top / MANIFEST).read_bytes())
        except FileNotFoundError as error:
            if stands and any((above / MARKER).is_file() for above in top.parents[1:3]):
                raise IntegrityError(
                    f"{top} lies in a store and has no {MANIFEST}: it is not whole"
                ) from error
            continue
        except (IntegrityError, OSError) as error:
            if stands:
                raise IntegrityError(f"{top}: {error}; delete the folder and run again") from error
            continue  # another program's
        for file in manifest.files:
            if (top / file.name).is_relative_to(folder) and not is_intact(top / file.name, file):
                raise IntegrityError(
                    f"{top / file.name} differs from its {MANIFEST}: delete {top} and run again, "
                    f"or, in a copy that was changed on purpose, {MANIFEST} alone"
                )
        return


def _newest_local(store: Store, work_dir: Path) -> Path:
    damaged: list[IntegrityError] = []
    for manifest in _newest_first(store):
        try:
            return _fetched(store, manifest, work_dir)
        except IntegrityError as error:
            _LOG.warning("The model %s is damaged: %s", manifest.record.get("version"), error)
            damaged.append(error)
    if damaged:
        raise damaged[0]
    raise UserError(
        f"no model is published in {store.url} yet: make one with `docs-mlm run` or `docs-mlm demo`"
    )


def _fetched(store: Store, manifest: Manifest, work_dir: Path) -> Path:
    """A hashed copy that holds the model's files and no other, which a library might read, too."""
    uri, place = store.uri("models", manifest.key), work_dir / "fetched" / "models" / manifest.key
    named = {file.name for file in manifest.files}
    there = {path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file()}
    if there - named:
        discard(place)
    return store.fetch(uri, place)


def _version(store: Store, manifest: Manifest) -> Version:
    trained: dict[str, Any] = manifest.ancestors["training"]
    before, after = trained["eval_before"] or {}, trained["eval_after"] or {}
    return Version(
        version=manifest.record["version"],
        uri=store.uri("models", manifest.key),
        source=manifest.ancestors["documents"]["source"],
        commit_sha=manifest.ancestors["documents"]["commit_sha"],
        documents=manifest.ancestors["corpus"]["kept"],
        steps=trained["global_step"],
        loss_before=before.get("loss"),
        loss_after=after.get("loss"),
        accuracy=after.get("accuracy"),
    )


def move_latest(store: Store, model: PublishedModel) -> bool:
    """Point `latest.json` at `model` unless it points at a newer version that is there; whether it moved.

    Done at the end of every run, not only of the one that published: a run that died between the two
    is put right by the next.
    """
    uri = store.uri("models", LATEST)
    latest, pointed = store.read_json(uri), latest_uri(store)
    if latest is not None and str(latest.get("version", "")) >= model.version:
        if pointed is None or store.manifest(pointed) is not None:
            return False
        # What it points at is gone. `model` may be an old one that was reused.
        newest = next(iter(_whole(store)), None)
        if newest is not None and str(newest.record["version"]) > model.version:
            store.write_json(uri, newest.record)
            return True
    store.write_json(uri, model.as_json())
    return True
