"""Several snapshots as one: no bytes are copied, the joint snapshot says which ones it is made of."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from tasks.records import DocsSnapshot, short_name
from tasks.stage.stage import stage
from tasks.stage.target import Target


def recipe(commits: Mapping[str, str], snapshots: Mapping[str, str]) -> dict[str, Any]:
    """What goes into a joint snapshot's key: the sources' commits and their snapshots' keys, by name."""
    return {"commits": dict(commits), "snapshots": dict(snapshots)}


@stage(DocsSnapshot, version=1, recipe=recipe)
def join_snapshots(target: Target, parts: dict[str, Target]) -> DocsSnapshot:
    """Note which snapshots, by the name that their documents' paths begin with, make the joint one."""
    snapshots = {name: DocsSnapshot.from_json(part.made()) for name, part in sorted(parts.items())}
    told = ("source", "commit_sha", "licenses", "key")
    listed = [
        {"name": name} | {field: getattr(snapshot, field) for field in told}
        for name, snapshot in snapshots.items()
    ]
    counts: dict[str, Any] = {
        field: sum(getattr(snapshot, field) for snapshot in snapshots.values())
        for field in ("found", "read", "bytes_read")
    }
    unread: Counter[str] = Counter()
    for snapshot in snapshots.values():
        unread.update(snapshot.unread)
    counts |= {"unread": dict(unread), "submodules": sum(one.submodules for one in snapshots.values())}
    with target.building() as folder:
        (folder / DocsSnapshot.PARTS).write_text(json.dumps(listed, indent=1), encoding="utf-8")
        named = {
            "source": joint_name([snapshot.source for snapshot in snapshots.values()]),
            "commit_sha": joint_commit({name: snapshot.commit_sha for name, snapshot in snapshots.items()}),
            "licenses": sorted({name for snapshot in snapshots.values() for name in snapshot.licenses}),
            "parts": listed,
        }
        return target.commit(folder, DocsSnapshot, counts | named)


def joint_name(sources: Sequence[str]) -> str:
    """What a person calls several sources together: the last part of each one's name, the many counted."""
    last = [short_name(source).rsplit("/", 1)[-1] for source in sources]
    return "+".join(last if len(last) <= 3 else [*last[:2], f"{len(last) - 2}-more"])


def joint_commit(commits: dict[str, str]) -> str:
    """`sha256:…` of the commits by source: what stands where a single source has its commit."""
    text = "".join(f"{name} {commit}\n" for name, commit in sorted(commits.items()))
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
