"""What has been published: the newest model, and all versions with their figures."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.errors import UserError
from tasks.records import PublishedModel
from tasks.store.folders import Store
from tasks.store.manifest import Manifest


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
    """The manifest of the newest published model, or None."""
    latest = store.read_json(store.uri("models", "latest.json"))
    # By its key, not its URI: a store that was copied elsewhere is as good as where it was made.
    return store.manifest(store.uri("models", str(latest["key"]))) if latest and "key" in latest else None


def list_versions(store: Store) -> list[Version]:
    """All complete published versions, oldest first."""
    folders = store.folders(store.uri("models"))
    manifests = [store.manifest(store.uri("models", key)) for key in folders]
    return sorted((_version(store, found) for found in manifests if found), key=lambda v: v.version)


def local_model(store: Store, model: str | None, work_dir: Path) -> Path:
    """A local folder with a model: the store's newest, one of its versions or URIs, or any folder.

    Raises:
        UserError: there is no such model, or a folder has only pickled weights.
    """
    if model is not None and (folder := Path(model).expanduser()).is_dir():
        if not list(folder.glob("model*.safetensors")):
            raise UserError(
                f"{folder} has no model.safetensors, and pickled weights are not loaded: "
                "save the model with safe_serialization=True"
            )
        return folder
    if model is None:
        manifest = newest_model(store)
        if manifest is None:
            raise UserError(
                f"no model is published in {store.url} yet: make one with `docs-mlm run` or `docs-mlm demo`"
            )
        uri = store.uri("models", manifest.key)
    elif "://" in model:
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
    if store.manifest(uri) is None:
        raise UserError(f"there is no complete model at {uri}: `docs-mlm models` lists those that are")
    return store.fetch(uri, work_dir / "fetched" / "models" / uri.rsplit("/", 1)[-1])


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
    """Point `latest.json` at `model` unless it points at a newer version; whether it moved.

    Done at the end of every run, not only of the one that published: a run that died between the two
    is put right by the next.
    """
    uri = store.uri("models", "latest.json")
    latest = store.read_json(uri)
    if latest is not None and str(latest.get("version", "")) >= model.version:
        return False
    store.write_json(uri, model.as_json())
    return True
