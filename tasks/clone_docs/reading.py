"""The documents of a source, whichever of the four kinds it is of, in one file.

    url        partial clone in the work folder, blobs by id   (git/clone.py, git/tree.py)
    checkout   the same reading, from its own object store     (git/tree.py)
    folder     the files as they lie                           (local_files.py)
    json_file  a list of texts                                 (local_files.py)

All four end as one `documents.parquet`: `path`, `blob_sha`, `size`, `content`, and `reason` where a file
that matches the patterns has no content (`not_regular_file`, `excluded_path`, `too_large`).
"""

import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from tasks.clone_docs.documents import Counts, Document, write_documents
from tasks.clone_docs.git import tree as git_tree
from tasks.clone_docs.git.access import remote_access
from tasks.clone_docs.git.clone import FETCHED, LOG_SECONDS, held_clone
from tasks.clone_docs.git.command import GitRepository
from tasks.clone_docs.git.errors import BrokenCloneError, MalformedObjectsError, RefusedObjectError
from tasks.clone_docs.git.urls import parse_address
from tasks.clone_docs.licenses import licenses_of
from tasks.clone_docs.local_files import folder_documents, json_documents
from tasks.clone_docs.patterns import PathPatterns, file_sha256, folder_digest
from tasks.clone_docs.pinned import PinnedSource, open_checkout
from tasks.clone_docs.settings import SourceSettings
from tasks.errors import UserError
from tasks.records import DocsSnapshot
from tasks.stage.log import stage_logger
from tasks.stage.progress import tell

LICENSE_BYTES = 1_000_000
"""A licence file larger than this is not looked into."""

Result = tuple[Counts, list[str]]
"""What was written, and the licences found."""


def write_snapshot(source: PinnedSource, settings: SourceSettings, folder: Path, clones: Path) -> Result:
    """Write the source's documents into `folder`; a clone of it is kept under `clones`."""
    target = folder / DocsSnapshot.FILE
    if source.kind == "url":
        return snapshot_url(source, settings, clones, target)
    if source.kind == "checkout":
        return snapshot_checkout(source, settings, target)
    if source.kind == "folder":
        return snapshot_folder(source, settings, target)
    return snapshot_json(source, settings, target)


def snapshot_url(source: PinnedSource, settings: SourceSettings, clones: Path, target: Path) -> Result:
    """Fetch what is missing from the Git server, and write the documents to `target`.

    A local clone that turns out to be broken is thrown away and fetched again, once.
    """
    address = parse_address(settings.url or "")
    access = remote_access(address, settings)
    fetch = settings.fetch
    broken = False
    while True:
        with held_clone(clones, source, access, fetch) as clone:
            try:
                chosen = clone.update(PathPatterns(settings))
                return _snapshot_tree(clone.git, chosen, source, settings, target)
            except (RefusedObjectError, MalformedObjectsError) as error:
                # An old server gives no single objects; an old Git, in a partial clone, forgives no slip.
                if fetch != "partial":
                    raise
                stage_logger().info("%s: trying a shallow clone", error)
                fetch = "shallow"
            except BrokenCloneError as error:
                if broken:
                    raise
                broken = True
                stage_logger().warning("%s: cloning again", error)
                shutil.rmtree(clone.git.git_dir or "", ignore_errors=True)


def snapshot_checkout(source: PinnedSource, settings: SourceSettings, target: Path) -> Result:
    """Write the documents of a checkout's commit to `target`, from its own object store.

    Raises:
        UserError: the checkout lacks files of that commit.
    """
    checkout = settings.checkout or Path()
    git = open_checkout(checkout)
    try:
        files = git_tree.list_tree(git, source.commit_sha)
        chosen = git_tree.choose(files, PathPatterns(settings))
        return _snapshot_tree(git, chosen, source, settings, target)
    except BrokenCloneError as error:
        raise UserError(
            f"{error}: the checkout {checkout} is a partial clone or damaged; "
            "give its URL with --source.url, or clone it in full"
        ) from error


def _snapshot_tree(
    git: GitRepository,
    chosen: git_tree.Chosen,
    source: PinnedSource,
    settings: SourceSettings,
    target: Path,
) -> Result:
    if not chosen.files:
        raise _nothing_found(source, settings, chosen.total)
    found = git_tree.documents(git, chosen, settings.max_file_bytes)
    counts = write_documents(
        target, _told(found, len(chosen.files), FETCHED if source.kind == "url" else 0.0)
    )
    texts = git_tree.read_blobs(git, [file.sha for file in chosen.licenses], LICENSE_BYTES)
    return counts, licenses_of(content for _, content in texts if content is not None)


def snapshot_folder(source: PinnedSource, settings: SourceSettings, target: Path) -> Result:
    """Write the documents of a folder to `target`.

    Raises:
        UserError: none matches, or the folder has changed since the run began.
    """
    folder = (settings.folder or Path()).expanduser()
    counts = write_documents(target, _told(folder_documents(folder, settings), None))
    if counts.found == 0:
        raise _nothing_found(source, settings, sum(1 for path in folder.rglob("*") if path.is_file()))
    _check_unchanged(folder, source, folder_digest(folder, settings))
    return counts, []


def snapshot_json(source: PinnedSource, settings: SourceSettings, target: Path) -> Result:
    """Write the texts of a JSON file to `target`.

    Raises:
        UserError: it holds no texts, or has changed since the run began.
    """
    file = (settings.json_file or Path()).expanduser()
    texts = json_documents(file, settings)
    if not texts:
        raise UserError(f"{file} is an empty list: give a JSON list of strings or of objects")
    counts = write_documents(target, texts)
    _check_unchanged(file, source, file_sha256(file))
    return counts, []


def _check_unchanged(path: Path, source: PinnedSource, digest: str) -> None:
    # The key promises these bytes, so bytes that changed in between must not be stored under it.
    if source.commit_sha != f"sha256:{digest}":
        raise UserError(f"{path} was changed while it was read: run again")


def _nothing_found(source: PinnedSource, settings: SourceSettings, total: int) -> UserError:
    patterns = ", ".join(settings.include)
    return UserError(
        f"no document in {source.name}: none of its {total} files matches {patterns}; "
        "choose others with --source.include"
    )


def _told(documents: Iterable[Document], total: int | None, before: float = 0.0) -> Iterator[Document]:
    """The same documents, with a word every few seconds; `before` is the share of fetching them."""
    start = last = time.monotonic()
    for number, document in enumerate(documents, start=1):
        yield document
        tell(f"Read {number:,} files", before + (1 - before) * number / total if total else None)
        if (now := time.monotonic()) - last >= LOG_SECONDS:
            last = now
            of = f" of {total}" if total else ""
            stage_logger().info("read %d%s files, %.0f a second", number, of, number / (now - start))
