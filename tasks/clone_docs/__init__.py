"""Stage 1, clone_docs: the bytes of every document at one commit, and nothing else, into the store.

    url        partial clone in the work folder, blobs by id   (local_clone.py, git_tree.py)
    checkout   the same reading, from its own object store     (git_tree.py)
    folder     the files as they lie                           (local_files.py)
    json_file  a list of texts                                 (local_files.py)

All four end as one `documents.parquet`: `path`, `blob_sha`, `size`, `content`, and `reason` where a file
that matches the patterns has no content (`not_regular_file`, `excluded_path`, `too_large`).
"""

import errno
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tasks.clone_docs import git_tree
from tasks.clone_docs.documents import Counts, Document, write_documents
from tasks.clone_docs.licenses import licenses_of
from tasks.clone_docs.local_clone import FETCHED, LOG_SECONDS, held_clone
from tasks.clone_docs.local_files import folder_documents, json_documents
from tasks.errors import UserError
from tasks.records import DocsSnapshot
from tasks.run_progress import tell
from tasks.settings import SourceSettings
from tasks.sources.doc_paths import PathPatterns, file_sha256, folder_digest
from tasks.sources.git_access import remote_access
from tasks.sources.git_command import GitRepository
from tasks.sources.git_errors import BrokenCloneError, MalformedObjectsError, RefusedObjectError
from tasks.sources.git_urls import parse_address
from tasks.sources.resolving import ResolvedSource, open_checkout
from tasks.stage import Step, stage, stage_logger

FILE = "documents.parquet"
LICENSE_BYTES = 1_000_000
"""A licence file larger than this is not looked into."""

Result = tuple[Counts, list[str]]
"""What was written, and the licences found."""


def snapshot_url(source: ResolvedSource, settings: SourceSettings, clones: Path, target: Path) -> Result:
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


def snapshot_checkout(source: ResolvedSource, settings: SourceSettings, target: Path) -> Result:
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
    source: ResolvedSource,
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


def snapshot_folder(source: ResolvedSource, settings: SourceSettings, target: Path) -> Result:
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


def snapshot_json(source: ResolvedSource, settings: SourceSettings, target: Path) -> Result:
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


def _check_unchanged(path: Path, source: ResolvedSource, digest: str) -> None:
    # The key promises these bytes, so bytes that changed in between must not be stored under it.
    if source.commit_sha != f"sha256:{digest}":
        raise UserError(f"{path} was changed while it was read: run again")


def _nothing_found(source: ResolvedSource, settings: SourceSettings, total: int) -> UserError:
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


@contextmanager
def _disk_full_explained(work_dir: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise UserError(
            f"no space left in the work folder {work_dir}: free some, or choose another with --work-dir"
        ) from error


@stage(DocsSnapshot, retries=4, bar="clone")
def clone_docs(step: Step, source: ResolvedSource, settings: SourceSettings) -> DocsSnapshot:
    """Fetch the documents of one commit, and only those, into the store."""
    start = time.monotonic()
    with step.building() as folder, _disk_full_explained(step.work_dir):
        target = folder / FILE
        if source.kind == "url":
            counts, licenses = snapshot_url(source, settings, step.scratch("clones"), target)
        elif source.kind == "checkout":
            counts, licenses = snapshot_checkout(source, settings, target)
        elif source.kind == "folder":
            counts, licenses = snapshot_folder(source, settings, target)
        else:
            counts, licenses = snapshot_json(source, settings, target)
        stage_logger().info(
            "%d documents found, %d read (%.1f MB) in %.1f s",
            counts.found, counts.read, counts.bytes_read / 1e6, time.monotonic() - start,
        )  # fmt: skip
        record = DocsSnapshot(
            uri=step.uri,
            key=step.key,
            source=source.name,
            commit_sha=source.commit_sha,
            found=counts.found,
            read=counts.read,
            bytes_read=counts.bytes_read,
            licenses=licenses,
        )
        return step.commit(folder, record, ancestors={})
