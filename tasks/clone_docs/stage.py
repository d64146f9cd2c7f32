"""Stage 1: the bytes of every document at one commit, and nothing else, into the store."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from tasks.clone_docs.kinds import source_of
from tasks.clone_docs.pinned import PinnedSource
from tasks.clone_docs.settings import SourceSettings
from tasks.errors import UserError
from tasks.machine import is_disk_full
from tasks.records import DocsSnapshot
from tasks.stage.log import stage_logger
from tasks.stage.stage import stage
from tasks.stage.target import Target


def recipe(source: PinnedSource, settings: SourceSettings) -> dict[str, Any]:
    """What goes into a snapshot's key: the source's content, and the settings that its kind heeds."""
    heeded = settings.model_dump(mode="json", include=set(source_of(settings).heeds))
    return {"source": source.identity, "commit_sha": source.commit_sha, **heeded}


@stage(DocsSnapshot, version=1, recipe=recipe, bar="clone")
def clone_docs(target: Target, source: PinnedSource, settings: SourceSettings) -> DocsSnapshot:
    """Fetch the documents of one commit, and only those, into the store."""
    start = time.monotonic()
    with target.building() as folder, _full_disk_explained(target.work_dir):
        counts, licenses = source_of(settings).read(
            source, folder / DocsSnapshot.FILE, target.scratch("clones")
        )
        stage_logger().info(
            "%d documents found, %d read (%.1f MB) in %.1f s",
            counts.found, counts.read, counts.bytes_read / 1e6, time.monotonic() - start,
        )  # fmt: skip
        told = {"source": source.name, "commit_sha": source.commit_sha, "licenses": licenses}
        return target.commit(folder, DocsSnapshot, asdict(counts) | told)


@contextmanager
def _full_disk_explained(work_dir: str) -> Iterator[None]:
    """Tell a work folder without room as Git's own complaint is told: the user must act, before all else."""
    try:
        yield
    except OSError as error:
        if not is_disk_full(error):
            raise
        raise UserError(
            f"no space left in the work folder {work_dir}: free some, or choose another with --work-dir"
        ) from error
