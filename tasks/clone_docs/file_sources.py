"""Sources without Git: a folder of files, and a JSON file of texts. A digest takes the commit's place."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from tasks.clone_docs.documents import write_documents
from tasks.clone_docs.json_texts import WANTED, read_texts
from tasks.clone_docs.local_files import folder_documents, json_documents
from tasks.clone_docs.patterns import PathPatterns, file_sha256, folder_digest, unread_files
from tasks.clone_docs.pinned import Kind, PinnedSource
from tasks.clone_docs.reading import Result, Source, write_told
from tasks.errors import UserError
from tasks.exported import exported_form

READ_ANEW = "/2"
"""Stands in the identity of a JSON file that the first version of the reading misread, and in no other's."""


@dataclass(frozen=True, slots=True)
class FileSource(Source):
    """A source whose content is known by its bytes."""

    path: Path

    @property
    def place(self) -> Path:
        """The path, from the root or from the working folder."""
        return self.path.expanduser()

    @property
    def name(self) -> str:
        """The last name of the path."""
        return self.place.absolute().name or str(self.place)

    def pinned_to(self, digest: str, identity: str) -> PinnedSource:
        """The source with `digest` as its content."""
        return PinnedSource(
            kind=self.kind, name=self.name, identity=identity, commit_sha=f"sha256:{digest}", ref=None
        )

    def check_unchanged(self, pinned: PinnedSource, digest: str) -> None:
        """See that what was read is what was pinned.

        Raises:
            UserError: it is not.
        """
        # The key promises these bytes, so bytes that changed in between must not be stored under it.
        if pinned.commit_sha != f"sha256:{digest}":
            raise UserError(f"{self.place} was changed while it was read: run again")


class FolderSource(FileSource):
    """A folder of files, read as they lie."""

    __slots__ = ()
    kind: ClassVar[Kind] = "folder"
    heeds: ClassVar[frozenset[str]] = frozenset({"include", "exclude", "recursive", "max_file_bytes"})

    def pin(self) -> PinnedSource:
        """Digest the names and bytes of the files that match."""
        if not self.place.is_dir():
            raise UserError(f"source.folder {self.place} is no folder: check the path")
        return self.pinned_to(folder_digest(self.place, self.settings), self.kind)

    def read(self, pinned: PinnedSource, target: Path, clones: Path) -> Result:
        """Write the folder's documents to `target`.

        Raises:
            UserError: none matches, or the folder has changed since the run began.
        """
        counts = write_told(target, folder_documents(self.place, self.settings), None)
        patterns = PathPatterns(self.settings)
        unread = unread_files(self.place, patterns, recursive=self.settings.recursive)
        if counts.found == 0:
            raise self.nothing_found(sum(1 for path in self.place.rglob("*") if path.is_file()), unread)
        self.check_unchanged(pinned, folder_digest(self.place, self.settings))
        return replace(counts, unread=unread), []


class JsonSource(FileSource):
    """A JSON file of texts; those that docs-mlm cleaned and exported come with a word that they are clean."""

    __slots__ = ()
    kind: ClassVar[Kind] = "json_file"
    heeds: ClassVar[frozenset[str]] = frozenset({"max_file_bytes"})

    def pin(self) -> PinnedSource:
        """See that the file holds texts, and digest it."""
        if not self.place.is_file():
            raise UserError(f"source.json_file {self.place} is no file: check the path")
        if not (texts := read_texts(self.place)):
            raise UserError(f"source.json_file {self.place} is an empty list: {WANTED}")
        # What an earlier version made of such a file was wrong, and must not be found under this key.
        anew = any(text.read_anew for text in texts)
        # A text of a JSON file is called after the file.
        identity = f"{self.kind}{READ_ANEW if anew else ''}:{self.name}"
        return self.pinned_to(file_sha256(self.place), identity)

    def read(self, pinned: PinnedSource, target: Path, clones: Path) -> Result:
        """Write the file's texts to `target`.

        Raises:
            UserError: it has changed since the run began.
        """
        texts = json_documents(self.place, self.settings)
        counts = write_documents(target, texts, cleaned=exported_form(self.place) == "text")
        self.check_unchanged(pinned, file_sha256(self.place))
        return counts, []
