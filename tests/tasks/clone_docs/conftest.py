"""A place to clone from and to, without Prefect around it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tasks.clone_docs.kinds import resolve_source
from tasks.clone_docs.pinned import PinnedSource
from tasks.clone_docs.settings import SourceSettings
from tasks.clone_docs.stage import clone_docs
from tasks.records import DocsSnapshot
from tasks.stage.target import Target
from tests.git_server import GitServer

Rows = list[dict[str, Any]]
Clone = Callable[..., tuple[DocsSnapshot, Rows]]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    """A server for the repositories in `tmp_path/served`."""
    (tmp_path / "served").mkdir()
    with GitServer(tmp_path / "served") as running:
        yield running


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """Resolve and clone with these settings; the record, and the rows that were stored."""
    number = iter(range(1_000))

    def run(source: PinnedSource | None = None, **values: Any) -> tuple[DocsSnapshot, Rows]:
        settings = SourceSettings(**values)
        source = source or resolve_source(settings)
        key = f"{next(number):032x}"
        store = (tmp_path / "store").as_uri()
        step = Target(
            stage="documents",
            key=key,
            uri=f"{store}/documents/{key}",
            action="run",
            why="",
            store_url=store,
            work_dir=str(tmp_path / "work"),
        )
        # Without its task: what retries do is Prefect's and tested with the flows.
        record = clone_docs.make(step, source, settings)
        return record, pq.read_table(tmp_path / "store" / "documents" / key / DocsSnapshot.FILE).to_pylist()

    return run
