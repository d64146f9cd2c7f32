"""What a model would learn from, before anybody pays for it: documents are read, cleaned and not kept.

The store is not touched. What is fetched of a Git server stays in the work folder, where a run finds it.
"""

import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.clone_docs.documents import Counts
from tasks.clone_docs.kinds import source_of
from tasks.clone_docs.pinned import PinnedSource
from tasks.clone_docs.settings import SourceSettings
from tasks.filter_markdown.corpus import FilterCounts, filter_documents
from tasks.filter_markdown.dropping import sides_warning
from tasks.filter_markdown.look import Look, side_by_side
from tasks.filter_markdown.settings import FilterSettings
from tasks.records import Corpus, DocsSnapshot, short_commit, short_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What is in the documents of a source."""

    source: PinnedSource
    read: Counts
    looked_at: int
    """Documents that were cleaned; fewer than were read where there are very many."""
    counts: FilterCounts
    look: Look
    warning: str | None
    seconds: float

    @property
    def name(self) -> str:
        """Source and commit, for people."""
        return f"{short_name(self.source.name)}@{short_commit(self.source.commit_sha)}"

    def documents(self) -> dict[str, Any]:
        """The figures of the documents, by their names in records."""
        return asdict(self.counts) | {"unread": self.read.unread, "submodules": self.read.submodules}

    def as_json(self) -> dict[str, Any]:
        """The preview as JSON-ready values."""
        look = asdict(self.look)
        look["samples"] = [
            {"path": sample.path, "lines": [list(pair) for pair in side_by_side(sample)]}
            for sample in self.look.samples
        ]
        return {
            "source": self.source.name,
            "commit_sha": self.source.commit_sha,
            "looked_at": self.looked_at,
            "documents": self.documents(),
            "warning": self.warning,
            "seconds": self.seconds,
            **look,
        }


def make_preview(source: SourceSettings, settings: FilterSettings, work_dir: Path, most: int) -> Preview:
    """Read the documents of `source`, clean them, and see what is in them.

    Args:
        most: documents that are cleaned; of more, some from all over their order.

    Raises:
        UserError: there is no such source, or nothing is left of its documents.
        NetworkError: a host does not answer.
    """
    started = time.monotonic()
    chosen = source_of(source)
    pinned = chosen.pin()
    clones = work_dir.expanduser().absolute() / "clones"
    with tempfile.TemporaryDirectory(prefix="docs-mlm-preview-") as name:
        folder = Path(name)
        documents = folder / DocsSnapshot.FILE
        read, _ = chosen.read(pinned, documents, clones)
        looked_at = thin_out(documents, most)
        counts = filter_documents(documents, folder, settings)
        look = Look.read(folder / Corpus.LOOK)
    return Preview(
        source=pinned,
        read=read,
        looked_at=looked_at,
        counts=counts,
        look=look,
        warning=sides_warning(
            counts.kept, counts.eval_documents, counts.largest_group, settings.eval_fraction
        ),
        seconds=round(time.monotonic() - started, 1),
    )


def thin_out(documents: Path, most: int) -> int:
    """Leave at most `most` rows in the file, from all over it; how many there are then."""
    total: int = pq.read_metadata(documents).num_rows
    step = -(-total // most)
    if step <= 1:
        return total
    thinned, place, kept = documents.with_suffix(".thinned"), 0, 0
    with pq.ParquetFile(documents) as file, pq.ParquetWriter(thinned, file.schema_arrow) as writer:
        for batch in file.iter_batches(1_000):
            rows = pa.array(range(-place % step, batch.num_rows, step), pa.int64())
            writer.write_batch(batch.take(rows))
            place += batch.num_rows
            kept += len(rows)
    thinned.replace(documents)
    return kept
