"""Stage 1: the bytes of every document at one commit, and nothing else, into the store."""

import time
from dataclasses import asdict
from typing import Any

from tasks.clone_docs.pinned import PinnedSource
from tasks.clone_docs.reading import write_snapshot
from tasks.clone_docs.settings import SourceSettings
from tasks.records import DocsSnapshot
from tasks.stage.log import stage_logger
from tasks.stage.stage import stage
from tasks.stage.target import Target


def recipe(source: PinnedSource, settings: SourceSettings) -> dict[str, Any]:
    """What goes into a snapshot's key: the source's content, and the settings that its kind heeds."""
    kinds = {
        "url": {"include", "exclude"},
        "checkout": {"include", "exclude"},
        "folder": {"include", "exclude", "recursive"},
        "json_file": set(),
    }
    chosen = settings.model_dump(mode="json", include=kinds[source.kind] | {"max_file_bytes"})
    return {"source": source.identity, "commit_sha": source.commit_sha, **chosen}


@stage(DocsSnapshot, version=1, recipe=recipe, retries=4, bar="clone")
def clone_docs(target: Target, source: PinnedSource, settings: SourceSettings) -> DocsSnapshot:
    """Fetch the documents of one commit, and only those, into the store."""
    start = time.monotonic()
    with target.building() as folder:
        counts, licenses = write_snapshot(source, settings, folder, target.scratch("clones"))
        stage_logger().info(
            "%d documents found, %d read (%.1f MB) in %.1f s",
            counts.found, counts.read, counts.bytes_read / 1e6, time.monotonic() - start,
        )  # fmt: skip
        told = {"source": source.name, "commit_sha": source.commit_sha, "licenses": licenses}
        return target.commit(folder, DocsSnapshot, asdict(counts) | told)
