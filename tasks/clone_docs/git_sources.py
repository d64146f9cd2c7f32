"""Sources with Git: a repository behind a URL, and a checkout on this machine."""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from git import InvalidGitRepositoryError, NoSuchPathError, Repo

from tasks.clone_docs.git import tree as git_tree
from tasks.clone_docs.git.access import local_access, remote_access
from tasks.clone_docs.git.clone import FETCHED, held_clone
from tasks.clone_docs.git.command import ANSWER_SECONDS, GitRepository
from tasks.clone_docs.git.errors import BrokenCloneError, MalformedObjectsError, RefusedObjectError
from tasks.clone_docs.git.refs import check_ref, choose_ref, is_full_id
from tasks.clone_docs.git.urls import GitAddress, parse_address
from tasks.clone_docs.licenses import licenses_of
from tasks.clone_docs.patterns import PathPatterns
from tasks.clone_docs.pinned import Kind, PinnedSource
from tasks.clone_docs.reading import Result, Source, write_told
from tasks.errors import UserError
from tasks.stage.log import stage_logger

LICENSE_BYTES = 1_000_000
"""A licence file larger than this is not looked into."""


class GitSource(Source):
    """A source that is a commit: what both kinds read it by."""

    __slots__ = ()
    heeds: ClassVar[frozenset[str]] = frozenset({"include", "exclude", "max_file_bytes"})

    def checked_ref(self) -> str | None:
        """The branch, tag or commit that is asked for; None for the one that is there."""
        if self.settings.ref is not None:
            check_ref(self.settings.ref)
        return self.settings.ref

    def read_tree(
        self, git: GitRepository, chosen: git_tree.Chosen, target: Path, before: float = 0.0
    ) -> Result:
        """Write the chosen files of a commit to `target`; see `write_told` for `before`."""
        if not chosen.files:
            raise self.nothing_found(chosen.total, chosen.unread)
        found = git_tree.documents(git, chosen, self.settings.max_file_bytes)
        counts = write_told(target, found, len(chosen.files), before)
        texts = git_tree.read_blobs(git, [file.sha for file in chosen.licenses], LICENSE_BYTES)
        counts = replace(counts, unread=chosen.unread, submodules=chosen.submodules)
        return counts, licenses_of(content for _, content in texts if content is not None)


@dataclass(frozen=True, slots=True)
class UrlSource(GitSource):
    """A Git repository that is cloned, as far as it is needed."""

    kind: ClassVar[Kind] = "url"

    url: str

    @property
    def address(self) -> GitAddress:
        """The URL, checked."""
        return parse_address(self.url)

    @property
    def name(self) -> str:
        """The URL without credentials; of a repository on this machine the last part."""
        return self.address.name

    def pin(self) -> PinnedSource:
        """Ask the server for the commit of the ref; a whole commit id needs no asking."""
        ref, address = self.checked_ref(), self.address
        if ref is not None and is_full_id(ref):
            commit, full_name = ref.lower(), None
        else:
            git = GitRepository(access=remote_access(address, self.settings))
            # Branches and tags alone are a short list; the default branch is told only among all refs,
            # and some servers have a hundred thousand of those.
            narrow = ["--heads", "--tags"] if ref and not ref.startswith("refs/") else []
            asked = ["HEAD"] if ref is None else []
            printed = git.run(
                "ls-remote", "--symref", *narrow, "--", address.url, *asked, timeout=ANSWER_SECONDS
            )
            commit, full_name = choose_ref(printed.decode("utf-8", "replace"), ref, address.url)
        return PinnedSource(
            kind=self.kind, name=self.name, identity=address.identity, commit_sha=commit, ref=full_name
        )

    def read(self, pinned: PinnedSource, target: Path, clones: Path) -> Result:
        """Fetch what is missing from the Git server, and write the documents to `target`.

        A local clone that turns out to be broken is thrown away and fetched again, once.
        """
        access = remote_access(self.address, self.settings)
        fetch: str = self.settings.fetch
        broken = False
        while True:
            with held_clone(clones, pinned, access, fetch) as clone:
                try:
                    chosen = clone.update(PathPatterns(self.settings))
                    return self.read_tree(clone.git, chosen, target, FETCHED)
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
                    clone.remove()


@dataclass(frozen=True, slots=True)
class CheckoutSource(GitSource):
    """A Git checkout on this machine, read from its own object store."""

    kind: ClassVar[Kind] = "checkout"

    folder: Path

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.folder.expanduser().absolute().name

    def open(self) -> GitRepository:
        """Its object store, for reading.

        Raises:
            UserError: there is no Git checkout at that path.
        """
        folder = self.folder.expanduser()
        try:
            with Repo(folder) as repository:
                git_dir, common = Path(repository.git_dir), Path(repository.common_dir)
        except (InvalidGitRepositoryError, NoSuchPathError) as error:
            broken = os.path.lexists(folder / ".git")
            what = "damaged, or its .git points to nowhere" if broken else "no Git checkout"
            way = "clone it anew" if broken else "give its top folder"
            raise UserError(
                f"source.checkout {folder} is {what}: {way}, or use --source.folder for files without Git"
            ) from error
        return GitRepository(
            access=local_access(), git_dir=git_dir.absolute(), objects=common.absolute() / "objects"
        )

    def pin(self) -> PinnedSource:
        """Look up the commit of the ref, or of HEAD."""
        wanted, git = self.checked_ref() or "HEAD", self.open()
        try:
            commit = git.run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{wanted}^{{commit}}")
            full_name = git.run("rev-parse", "--symbolic-full-name", "--verify", "--quiet", wanted)
        except BrokenCloneError as error:
            if self.settings.ref is None:
                raise UserError(
                    f"the checkout {self.folder} has no commit that HEAD names: it is empty or damaged "
                    "(`git fsck` tells); give source.ref, clone it anew, or read its files without Git by "
                    "--source.folder"
                ) from error
            raise UserError(
                f"source.ref {wanted!r} is not in the checkout {self.folder}: "
                "give a branch, tag or commit of it"
            ) from error
        found = full_name.decode("utf-8", "replace").strip()
        return PinnedSource(
            kind=self.kind,
            name=self.name,
            identity=self.kind,
            commit_sha=commit.decode("ascii").strip(),
            ref=found if found.startswith("refs/") else None,
        )

    def read(self, pinned: PinnedSource, target: Path, clones: Path) -> Result:
        """Write the documents of the commit to `target`.

        Raises:
            UserError: the checkout lacks files of that commit.
        """
        git = self.open()
        try:
            files = git_tree.list_tree(git, pinned.commit_sha)
            return self.read_tree(git, git_tree.choose(files, PathPatterns(self.settings)), target)
        except BrokenCloneError as error:
            raise UserError(
                f"{error}: the checkout {self.folder} is a partial clone or damaged; "
                "give its URL with --source.url, or clone it in full"
            ) from error
