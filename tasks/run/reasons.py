"""Why a stage must run: what changed since the newest published model of its line, in a user's words."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from tasks.models.lines import Line
from tasks.models.newest import newest_of
from tasks.records import Record
from tasks.stage.stage import Recipe, Stage
from tasks.store.folders import Store
from tasks.store.manifest import Manifest


def why_run(
    store: Store, recipes: Mapping[Stage[Any, Any], Recipe], missing: Collection[type[Record]], line: Line
) -> dict[type[Record], str]:
    """For each missing result, what changed since the newest published model of the same line.

    Another repository's model says nothing of this one's changes.
    """
    reasons: dict[type[Record], str] = {}
    latest = newest_of(store, line) if missing else None
    none = "nothing is stored" if len(missing) == len(recipes) else "no model is published"
    for stage, recipe in recipes.items():
        kind = stage.record
        if kind not in missing:
            continue
        if anew := next((parent for parent in stage.parents if parent in missing), None):
            reasons[kind] = f"{anew.stage} is made anew"
        elif latest is None:
            reasons[kind] = f"{none} yet for {line.name}"
        else:
            before = _stored_settings(store, latest, kind.stage) or {}
            # One source and several are described by other settings, which say nothing of each other.
            alike = before.keys() & recipe.keys()
            changes = list(changed(before, recipe)) if alike else []
            reasons[kind] = "; ".join(changes[:3]) or "its result is not in the store"
    return reasons


def changed(before: dict[str, Any] | None, after: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """Each setting that differs, as `name: old → new`."""
    for name in sorted(before.keys() | after.keys() if before is not None else ()):
        old, new = (before or {}).get(name), after.get(name)
        if isinstance(old or new, dict) and isinstance(new or old, dict):
            yield from changed(old or {}, new or {}, f"{prefix}{name}.")
        elif old != new:
            yield f"{prefix}{name}: {_short(old)} → {_short(new)}"


def _stored_settings(store: Store, latest: Manifest, stage: str) -> dict[str, Any] | None:
    if stage == latest.stage:
        return latest.settings
    record = latest.ancestors.get(stage)
    manifest = store.manifest(store.uri(stage, record["key"])) if record else None
    return manifest.settings if manifest else None


def _short(value: Any) -> str:
    text = value[:12] if isinstance(value, str) and len(value) >= 32 else str(value)
    return text if len(text) <= 60 else text[:59] + "…"
