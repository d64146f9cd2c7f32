"""The local clone: one commit's tree and the chosen blobs, fetched, resumed, and mended when broken.

A partial clone takes 13 MB where a full one takes 280: the commit and its trees first, without blobs, then
the blobs of the chosen paths by their ids, a batch at a time. A batch that has arrived stays, so a clone
that was killed goes on from there, and the next commit costs what changed.
"""

import fcntl
import hashlib
import shutil
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from git import RemoteProgress

from tasks.clone_docs.git.access import GitAccess
from tasks.clone_docs.git.command import GitRepository
from tasks.clone_docs.git.errors import BrokenCloneError, RefusedObjectError
from tasks.clone_docs.git.tree import Chosen, choose, list_tree
from tasks.clone_docs.patterns import PathPatterns
from tasks.clone_docs.pinned import PinnedSource
from tasks.clone_docs.reading import LOG_SECONDS
from tasks.errors import UserError
from tasks.stage.log import stage_logger
from tasks.stage.progress import tell

BATCH = 4_000
"""Blobs asked for at once: few requests, and little lost when the line breaks."""
MOST_PACKS = 100
"""Above this a partial or shallow clone is made anew."""
FETCHED = 0.9
"""Share of a clone's progress at which everything has arrived; the rest is reading it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalClone:
    """A bare clone in the work folder, held by this process alone."""

    git: GitRepository
    source: PinnedSource
    fetch: str
    """`partial`, `shallow` or `full`."""

    @property
    def _kept(self) -> str:
        """The ref that says that this commit has arrived whole."""
        return f"refs/docs/{self.source.commit_sha}"

    def update(self, patterns: PathPatterns) -> Chosen:
        """Fetch what is missing of the source's commit; what the patterns choose of it is then all there.

        Raises:
            RefusedObjectError: the server does not hand out objects by their id.
            NetworkError: the line broke.
        """
        before, start = self._bytes(), time.monotonic()
        self._prepare()
        if not self._has(f"{self._kept}^{{commit}}"):
            self._fetch_commit()
        chosen = choose(list_tree(self.git, self.source.commit_sha), patterns)
        wanted = chosen.wanted() if chosen.files else []
        if self.fetch == "partial":
            self._fetch_blobs(wanted)
        self._forget_others()
        received = (self._bytes() - before) / 1e6
        stage_logger().info(
            "%s: %d of %d files chosen, %.1f MB received in %.1f s",
            self.source.name, len(chosen.files), chosen.total, received, time.monotonic() - start,
        )  # fmt: skip
        return chosen

    def remove(self) -> None:
        """Throw it away, so that the next update clones again."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _prepare(self) -> None:
        folder = self._folder
        packs = len(list(folder.glob("objects/pack/*.pack")))
        # Each commit brings a pack or two, and Git grows slow with hundreds.
        if not (folder / "HEAD").is_file() or (packs > MOST_PACKS and self.fetch != "full"):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            # Only a SHA-256 repository has ids of 64 digits.
            kind = "sha256" if len(self.source.commit_sha) == 64 else "sha1"
            self.git.run("init", "--bare", "--quiet", "--template=", f"--object-format={kind}")
        # A killed fetch leaves these, and each later one would stop at them.
        for pattern in ("*.lock", "refs/**/*.lock", "objects/**/tmp_*", "objects/**/*.lock"):
            for stale in folder.glob(pattern):
                stale.unlink(missing_ok=True)

    def _fetch_commit(self) -> None:
        sha = self.source.commit_sha
        if self.fetch == "full":
            self._run_fetch("--tags", "origin", "+refs/heads/*:refs/remotes/origin/*")
            if self._has(f"{sha}^{{commit}}"):
                self.git.run("update-ref", self._kept, sha)
                return
        depth = [] if self.fetch == "full" else ["--depth=1"]
        filters = ["--filter=blob:none"] if self.fetch == "partial" else []
        try:
            self._run_fetch("--no-tags", *depth, *filters, "origin", f"+{sha}:{self._kept}")
        except RefusedObjectError:
            # An old server gives out its branches and tags only: take the one that was resolved.
            if self.source.ref is None:
                raise
            self._run_fetch("--no-tags", *depth, *filters, "origin", f"+{self.source.ref}:refs/docs/tip")
            if not self._has(f"{sha}^{{commit}}"):
                raise RefusedObjectError(
                    f"{self.source.ref} of {self.source.name} has moved on from {sha}: run again"
                ) from None
            self.git.run("update-ref", self._kept, sha)
        if not self._has(f"{self._kept}^{{commit}}"):
            raise UserError(f"{sha} in {self.source.name} is no commit: give a branch, tag or commit")

    def _fetch_blobs(self, wanted: list[str]) -> None:
        present = self._objects()
        missing = [sha for sha in wanted if sha not in present]
        if wanted and not missing:
            stage_logger().info("all %d files are here already", len(wanted))
        for start in range(0, len(missing), BATCH):
            batch = missing[start : start + BATCH]
            stage_logger().info("fetching files %d to %d of %d", start + 1, start + len(batch), len(missing))
            part = FETCHED * len(batch) / len(missing)
            with tempfile.TemporaryFile() as ids:
                ids.write("".join(f"{sha}\n" for sha in batch).encode("ascii"))
                ids.seek(0)
                self._run_fetch(
                    "--no-tags", "--no-write-fetch-head", "--filter=blob:none", "--stdin", "origin",
                    ids=ids, negotiate=False, shares=(FETCHED * start / len(missing), part),
                )  # fmt: skip

    def _run_fetch(
        self,
        *arguments: str,
        ids: BinaryIO | None = None,
        negotiate: bool = True,
        shares: tuple[float, float] = (0.0, FETCHED),
    ) -> None:
        # With nothing to negotiate, a batch of ids costs no exchange about commits.
        first = [] if negotiate else ["-c", "fetch.negotiationAlgorithm=noop"]
        progress = FetchProgress(self.source.name, *shares)
        self.git.transfer(
            *first, "fetch", "--progress", "--no-recurse-submodules", *arguments,
            on_line=progress.new_message_handler(), istream=ids,
        )  # fmt: skip

    def _has(self, name: str) -> bool:
        try:
            self.git.run("rev-parse", "--verify", "--quiet", "--end-of-options", name)
        except BrokenCloneError:
            return False
        return True

    def _objects(self) -> set[str]:
        """The ids of all objects that have arrived; asking for one that has not would fetch it alone."""
        listed = self.git.run("cat-file", "--batch-all-objects", "--batch-check=%(objectname)", "--unordered")
        return set(listed.decode("ascii").split())

    def _forget_others(self) -> None:
        """Keep one commit to build the next fetch on; its objects stay."""
        for ref in self.git.run("for-each-ref", "--format=%(refname)", "refs/docs").decode().split():
            if ref != self._kept:
                self.git.run("update-ref", "-d", ref)

    @property
    def _folder(self) -> Path:
        if self.git.git_dir is None:
            raise ValueError("a local clone has a folder")
        return self.git.git_dir

    def _bytes(self) -> int:
        return sum(pack.stat().st_size for pack in self._folder.glob("objects/pack/*.pack"))


class FetchProgress(RemoteProgress):
    """Git's progress as a line in the log every few seconds, and on the stage's bar."""

    def __init__(self, name: str, begins: float = 0.0, part: float = FETCHED) -> None:
        super().__init__()
        self._name = name
        self._begins, self._part = begins, part
        self._last = time.monotonic()
        # A server could send lines without end.
        self.other_lines = deque(maxlen=50)  # type: ignore[assignment]
        self.error_lines = deque(maxlen=50)  # type: ignore[assignment]

    def update(
        self, op_code: int, cur_count: str | float, max_count: str | float | None = None, message: str = ""
    ) -> None:
        """Log how far the transfer is, if the last line is old enough."""
        if time.monotonic() - self._last < LOG_SECONDS:
            return
        self._last = time.monotonic()
        share = (
            f"{float(cur_count):.0f} of {float(max_count):.0f}" if max_count else f"{float(cur_count):.0f}"
        )
        doing = _DOING.get(op_code & self.OP_MASK, "")
        stage_logger().info("%s: %s %s %s", self._name, doing, share, message)
        receives = max_count and op_code & self.OP_MASK == self.RECEIVING
        done = self._begins + self._part * float(cur_count) / float(max_count or 1)
        tell(f"{doing} {share}".strip().capitalize(), done if receives else None)

    def line_dropped(self, line: str) -> None:
        """Say so where the server cannot filter: the fetch then brings every file of the commit."""
        if "filtering not recognized" in line:
            stage_logger().info("%s: the server cannot filter, so this is a shallow clone", self._name)


_DOING = {
    RemoteProgress.COUNTING: "counting objects",
    RemoteProgress.COMPRESSING: "compressing objects",
    RemoteProgress.RECEIVING: "receiving objects",
    RemoteProgress.RESOLVING: "resolving deltas",
}


@contextmanager
def held_clone(folder: Path, source: PinnedSource, access: GitAccess, fetch: str) -> Iterator[LocalClone]:
    """The clone of `source` under `folder`, made or reused, while no other process may use it."""
    address = access.address.url if access.address else source.identity
    name = hashlib.sha256(f"{address} {fetch} {len(source.commit_sha)}".encode()).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.lock").open("wb") as lock:
        # The kernel's lock: it ends with the process, however that ends.
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stage_logger().info("waiting for another run that fetches %s", source.name)
            fcntl.flock(lock, fcntl.LOCK_EX)
        git = GitRepository(access=access, git_dir=(folder / f"{name}.git").absolute())
        yield LocalClone(git=git, source=source, fetch=fetch)
