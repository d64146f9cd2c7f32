"""What the kinds of source have in common: each is pinned to one content, and read into one file.

    url        partial clone in the work folder, blobs by id   (git_sources.py)
    checkout   the same reading, from its own object store     (git_sources.py)
    folder     the files as they lie                           (file_sources.py)
    json_file  a list of texts                                 (file_sources.py)

All four end as one `documents.parquet`: `path`, `blob_sha`, `size`, `content`, and `reason` where a file
that matches the patterns has no content (`not_regular_file`, `excluded_path`, `too_large`).
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tasks.clone_docs.documents import Counts, Document, write_documents
from tasks.clone_docs.pinned import Kind, PinnedSource
from tasks.clone_docs.settings import SourceSettings
from tasks.errors import UserError
from tasks.stage.log import stage_logger
from tasks.stage.progress import tell

LOG_SECONDS = 2.0
"""Time between two lines of progress."""

Result = tuple[Counts, list[str]]
"""What was written, and the licences found."""


@dataclass(frozen=True, slots=True)
class Source(ABC):
    """Where documents come from, of one kind."""

    kind: ClassVar[Kind]
    heeds: ClassVar[frozenset[str]]
    """The settings that decide what is read of one content: they are in the key, and no others are."""

    settings: SourceSettings

    @abstractmethod
    def pin(self) -> PinnedSource:
        """Find out which content it has now, with at most one question to a server.

        Raises:
            UserError: there is no such repository, ref, folder or file.
            NetworkError: the server does not answer.
        """

    @abstractmethod
    def read(self, pinned: PinnedSource, target: Path, clones: Path) -> Result:
        """Write the documents of the content `pinned` to `target`; what is fetched is kept under `clones`.

        Raises:
            UserError: there are none, or the content is not to be had any more.
            NetworkError: the line broke.
        """

    def nothing_found(self, total: int, unread: dict[str, int]) -> UserError:
        """What to tell a user of whose `total` files none is a document.

        Args:
            unread: those of them that look like documents, by the end of their names.
        """
        patterns = ", ".join(self.settings.include)
        has = ", ".join(f"{count:,} {ending}" for ending, count in unread.items())
        return UserError(
            f"no document in {self.name}: none of its {total} files matches {patterns}"
            f"{f', but it has {has}' if has else ''}; choose others with --source.include"
        )

    @property
    @abstractmethod
    def name(self) -> str:
        """What a person calls it: a URL without credentials; of what lies on this machine its last name."""


def write_told(target: Path, documents: Iterable[Document], total: int | None, before: float = 0.0) -> Counts:
    """Write the documents to `target`, with a word every few seconds.

    Args:
        total: how many there are, if that is known.
        before: the share of the stage's work, in [0, 1), that was done before.
    """
    return write_documents(target, _told(documents, total, before))


def _told(documents: Iterable[Document], total: int | None, before: float) -> Iterator[Document]:
    start = last = time.monotonic()
    for number, document in enumerate(documents, start=1):
        yield document
        tell(f"Read {number:,} files", before + (1 - before) * number / total if total else None)
        if (now := time.monotonic()) - last >= LOG_SECONDS:
            last = now
            of = f" of {total}" if total else ""
            stage_logger().info("read %d%s files, %.0f a second", number, of, number / (now - start))
