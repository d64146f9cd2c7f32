"""What has been published: all versions with their figures, and any of them as files of this machine."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.errors import IntegrityError, UserError
from tasks.models.lines import Line, line_of
from tasks.models.newest import lines_of, newest_first, whole_models
from tasks.store.folders import Store
from tasks.store.local import discard
from tasks.store.manifest import MANIFEST, Manifest, is_intact
from tasks.store.marker import MARKER, is_own

MOST_NAMED = 5
"""Other lines that are named where the newest model of all is taken."""
_LOG = logging.getLogger("docs_mlm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One published version, with the figures that a person compares."""

    version: str
    uri: str
    line: str
    """What `--model` takes for the line's newest: its slug."""
    line_name: str
    source: str
    commit_sha: str
    documents: int
    steps: int
    loss_before: float | None
    loss_after: float | None
    accuracy: float | None


def list_versions(store: Store) -> list[Version]:
    """All complete published versions, oldest first."""
    return [_version(store, manifest, line) for manifest, line in reversed(whole_models(store))]


def local_model(store: Store, model: str | None, work_dir: Path) -> Path:
    """A local folder with a model, every byte hashed where a store knows what it is to be.

    That is the store's newest, a line's newest, one of its versions or URIs, or any folder.

    Raises:
        UserError: there is no such model, a folder has only pickled weights, or several lines have that name.
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
    if "://" not in model and (line := named_line(store, model)) is not None:
        return _newest_local(store, work_dir, line)
    store, manifest = _named(store, model)
    return _fetched(store, manifest, work_dir)


def chosen_model(store: Store, model: str | None) -> tuple[Store, Manifest]:
    """The store and the manifest of a published model: the newest, a line's newest, a version or a URI.

    Raises:
        UserError: there is no such model, or several lines have that name.
    """
    if model is not None and "://" in model:
        return _named(store, model)
    line = None if model is None else named_line(store, model)
    if model is not None and line is None:
        if Path(model).expanduser().is_dir():
            raise UserError(
                f"{model} is a folder, of which nobody has kept the documents: give a line, a version or a "
                "URI that `docs-mlm models` lists"
            )
        return _named(store, model)
    newest = next(newest_first(store, line), None)
    if newest is None:
        raise _nothing(store, line)
    if line is None:
        _tell_line(store, newest)
    return store, newest


def _named(store: Store, model: str) -> tuple[Store, Manifest]:
    """A model by its version or URI, and the store that it is in."""
    if "://" in model:
        base, _, key = model.rstrip("/").rpartition("/models/")
        store = Store(base or model)
        uri = store.uri("models", key)
    else:
        match = [known for known in list_versions(store) if known.version == model]
        if not match:
            raise UserError(
                f"{model!r} is neither a folder nor a line or version in {store.url}: see `docs-mlm models`"
            )
        uri = match[0].uri
    manifest = store.manifest(uri)
    if manifest is None:
        raise UserError(f"there is no complete model at {uri}: `docs-mlm models` lists those that are")
    return store, manifest


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


def named_line(store: Store, name: str) -> Line | None:
    """The line of that slug or name, or None.

    Raises:
        UserError: several lines have that name.
    """
    found = [line for line in lines_of(store) if name in (line.slug, line.name)]
    if len(found) > 1:
        slugs = ", ".join(line.slug for line in found)
        raise UserError(f"{len(found)} lines in {store.url} are called {name!r}: give one of {slugs}")
    return found[0] if found else None


def _newest_local(store: Store, work_dir: Path, line: Line | None = None) -> Path:
    damaged: list[IntegrityError] = []
    for manifest in newest_first(store, line):
        try:
            folder = _fetched(store, manifest, work_dir)
        except IntegrityError as error:
            _LOG.warning("The model %s is damaged: %s", manifest.record.get("version"), error)
            damaged.append(error)
            continue
        if line is None:
            _tell_line(store, manifest)
        return folder
    if damaged:
        raise damaged[0]
    raise _nothing(store, line)


def _nothing(store: Store, line: Line | None) -> UserError:
    return UserError(
        f"no model is published in {store.url} yet: make one with `docs-mlm run` or `docs-mlm demo`"
        if line is None
        else f"no model of {line.name} is left in {store.url}: see `docs-mlm models`"
    )


def _tell_line(store: Store, taken: Manifest) -> None:
    """Say which line the newest model of all is of, where a store has several, and how to choose another."""
    lines = lines_of(store)
    if len(lines) < 2:
        return
    own = line_of(store, taken)
    others = [line.slug for line in lines if line != own]
    more = f" and {len(others) - MOST_NAMED} more" if len(others) > MOST_NAMED else ""
    _LOG.warning(
        "Taking the newest of %d lines: %s, version %s. Choose another with --model: %s%s",
        *(len(lines), own.name, taken.record["version"], ", ".join(others[:MOST_NAMED]), more),
    )


def _fetched(store: Store, manifest: Manifest, work_dir: Path) -> Path:
    """A hashed copy that holds the model's files and no other, which a library might read, too."""
    uri, place = store.uri("models", manifest.key), work_dir / "fetched" / "models" / manifest.key
    named = {file.name for file in manifest.files}
    there = {path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file()}
    if there - named:
        discard(place)
    return store.fetch(uri, place)


def _version(store: Store, manifest: Manifest, line: Line) -> Version:
    trained: dict[str, Any] = manifest.ancestors["training"]
    before, after = trained["eval_before"] or {}, trained["eval_after"] or {}
    return Version(
        version=manifest.record["version"],
        uri=store.uri("models", manifest.key),
        line=line.slug,
        line_name=line.name,
        source=manifest.ancestors["documents"]["source"],
        commit_sha=manifest.ancestors["documents"]["commit_sha"],
        documents=manifest.ancestors["corpus"]["kept"],
        steps=trained["global_step"],
        loss_before=before.get("loss"),
        loss_after=after.get("loss"),
        accuracy=after.get("accuracy"),
    )
