"""Several snapshots as one: no bytes are copied, the joint snapshot says which ones it is made of."""

import json

from tasks.records import DocsSnapshot, joint_commit, joint_name
from tasks.stage import Step, stage

FILE = "sources.json"


@stage(DocsSnapshot)
def join_snapshots(step: Step, parts: dict[str, Step]) -> DocsSnapshot:
    """Note which snapshots, by the name that their documents' paths begin with, make the joint one."""
    snapshots = {name: DocsSnapshot.from_json(part.made()) for name, part in sorted(parts.items())}
    record = DocsSnapshot(
        uri=step.uri,
        key=step.key,
        source=joint_name([snapshot.source for snapshot in snapshots.values()]),
        commit_sha=joint_commit({name: snapshot.commit_sha for name, snapshot in snapshots.items()}),
        found=sum(snapshot.found for snapshot in snapshots.values()),
        read=sum(snapshot.read for snapshot in snapshots.values()),
        bytes_read=sum(snapshot.bytes_read for snapshot in snapshots.values()),
        licenses=sorted({name for snapshot in snapshots.values() for name in snapshot.licenses}),
        parts=[
            {
                "name": name,
                "source": snapshot.source,
                "commit_sha": snapshot.commit_sha,
                "licenses": snapshot.licenses,
                "key": snapshot.key,
            }
            for name, snapshot in snapshots.items()
        ],
    )
    with step.building() as folder:
        (folder / FILE).write_text(json.dumps(record.parts, indent=1), encoding="utf-8")
        return step.commit(folder, record, ancestors={})
