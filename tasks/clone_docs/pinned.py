"""A source pinned to one content: names, identities and commits, before any fetch."""

import difflib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from git import InvalidGitRepositoryError, NoSuchPathError, Repo

from tasks.clone_docs.git.access import local_access, remote_access
from tasks.clone_docs.git.command import ANSWER_SECONDS, GitRepository
from tasks.clone_docs.git.errors import BrokenCloneError
from tasks.clone_docs.git.urls import parse_address
from tasks.clone_docs.patterns import file_sha256, folder_digest
from tasks.clone_docs.settings import SourceSettings
from tasks.errors import UserError

_FULL_ID = re.compile(r"[0-9a-fA-F]{40}(?:[0-9a-fA-F]{24})?")
_SHORT_ID = re.compile(r"[0-9a-fA-F]{4,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedSource:
    """A source pinned to one content: what to fetch, and what goes into the snapshot's key."""

    kind: Literal["url", "checkout", "folder", "json_file"]
    name: str
    """What a person calls it: a URL without credentials; of what lies on this machine its last name."""
    identity: str
    """What goes into the key: the URL without credentials, or the kind; never a path of this machine."""
    commit_sha: str
    """The Git commit (40 or 64 hexadecimal digits), or `sha256:…` of the contents where there is no Git."""
    ref: str | None
    """The full name of the ref that was resolved (`refs/heads/main`), or None for a bare commit or no Git."""


def resolve_source(settings: SourceSettings) -> PinnedSource:
    """Pin the source to one content, with at most one question to a server.

    Raises:
        UserError: there is no source, or no such repository, ref, folder or file.
        NetworkError: the server does not answer.
    """
    if settings.ref is not None:
        check_ref(settings.ref)
    if settings.url is not None:
        return _resolve_url(settings.url, settings)
    if settings.checkout is not None:
        return _resolve_checkout(settings.checkout, settings.ref)
    if settings.folder is not None:
        folder = settings.folder.expanduser()
        if not folder.is_dir():
            raise UserError(f"source.folder {folder} is no folder: check the path")
        return _without_git("folder", folder, folder_digest(folder, settings))
    if settings.json_file is not None:
        file = settings.json_file.expanduser()
        if not file.is_file():
            raise UserError(f"source.json_file {file} is no file: check the path")
        return _without_git("json_file", file, file_sha256(file))
    raise UserError(
        "no source is given: say where the documents are with --source.url URL, --source.checkout FOLDER, "
        "--source.folder FOLDER or --source.json-file FILE"
    )


def check_ref(ref: str) -> None:
    """See that `ref` is a name and no option or expression.

    Raises:
        UserError: it is not.
    """
    if not ref or ref.startswith("-") or re.search(r"[\x00-\x20\x7f:?*\[\\]|\.\.|@\{", ref):
        raise UserError(f"source.ref {ref!r} is no branch, tag or commit: give its plain name")


def open_checkout(checkout: Path) -> GitRepository:
    """The object store of a checkout on this machine, for reading.

    Raises:
        UserError: there is no Git checkout at that path.
    """
    folder = checkout.expanduser()
    try:
        with Repo(folder) as repository:
            git_dir, common = Path(repository.git_dir), Path(repository.common_dir)
    except (InvalidGitRepositoryError, NoSuchPathError) as error:
        raise UserError(
            f"source.checkout {folder} is no Git checkout: give its top folder, "
            "or use --source.folder for files without Git"
        ) from error
    return GitRepository(
        access=local_access(), git_dir=git_dir.absolute(), objects=common.absolute() / "objects"
    )


def _without_git(kind: Literal["folder", "json_file"], path: Path, digest: str) -> PinnedSource:
    name = path.absolute().name or str(path)
    # A text of a JSON file is called after the file.
    identity = f"{kind}:{name}" if kind == "json_file" else kind
    return PinnedSource(kind=kind, name=name, identity=identity, commit_sha=f"sha256:{digest}", ref=None)


def _resolve_checkout(checkout: Path, ref: str | None) -> PinnedSource:
    repository = open_checkout(checkout)
    wanted = ref or "HEAD"
    try:
        commit = repository.run(
            "rev-parse", "--verify", "--quiet", "--end-of-options", f"{wanted}^{{commit}}"
        )
        full_name = repository.run("rev-parse", "--symbolic-full-name", "--verify", "--quiet", wanted)
    except BrokenCloneError as error:
        raise UserError(
            f"source.ref {wanted!r} is not in the checkout {checkout}: give a branch, tag or commit of it"
        ) from error
    name = checkout.expanduser().absolute().name
    found = full_name.decode("utf-8", "replace").strip()
    return PinnedSource(
        kind="checkout",
        name=name,
        identity="checkout",
        commit_sha=commit.decode("ascii").strip(),
        ref=found if found.startswith("refs/") else None,
    )


def _resolve_url(url: str, settings: SourceSettings) -> PinnedSource:
    address = parse_address(url)
    if settings.ref is not None and _FULL_ID.fullmatch(settings.ref):
        commit, full_name = settings.ref.lower(), None
    else:
        git = GitRepository(access=remote_access(address, settings))
        # Branches and tags alone are a short list; the default branch is told only among all refs,
        # and some servers have a hundred thousand of those.
        narrow = ["--heads", "--tags"] if settings.ref and not settings.ref.startswith("refs/") else []
        asked = ["HEAD"] if settings.ref is None else []
        printed = git.run("ls-remote", "--symref", *narrow, "--", address.url, *asked, timeout=ANSWER_SECONDS)
        commit, full_name = _choose(printed.decode("utf-8", "replace"), settings.ref, address.url)
    return PinnedSource(
        kind="url", name=address.name, identity=address.identity, commit_sha=commit, ref=full_name
    )


def _choose(printed: str, ref: str | None, place: str) -> tuple[str, str | None]:
    """The commit and full name of `ref` (None: the default branch) in what `ls-remote --symref` printed."""
    refs: dict[str, str] = {}
    default = None
    for line in printed.splitlines():
        value, _, name = line.partition("\t")
        if value.startswith("ref: "):
            default = value.removeprefix("ref: ") if name == "HEAD" else default
        elif _FULL_ID.fullmatch(value):
            refs[name] = value
    if ref is None:
        if "HEAD" not in refs:
            raise UserError(f"{place} has no default branch (it may be empty): name one with --source.ref")
        return refs["HEAD"], default
    for name in (ref, f"refs/heads/{ref}", f"refs/tags/{ref}"):
        if name in refs and name.startswith("refs/"):
            # An annotated tag is an object of its own; `^{}` is the commit that it points to.
            return refs.get(f"{name}^{{}}", refs[name]), name
    if _SHORT_ID.fullmatch(ref):
        raise UserError(
            f"{ref!r} is no branch or tag of {place}, and a server does not look up shortened commits: "
            "give all 40 digits, or a branch"
        )
    raise UserError(f"{ref!r} is no branch or tag of {place}; {_nearest(ref, refs)}")


def _nearest(ref: str, refs: dict[str, str]) -> str:
    names = [
        name.removeprefix("refs/heads/").removeprefix("refs/tags/")
        for name in refs
        if name.startswith(("refs/heads/", "refs/tags/")) and not name.endswith("^{}")
    ]
    if not names:
        return "it has none (it may be empty)"
    if close := difflib.get_close_matches(ref, names, n=5, cutoff=0.6):
        return "did you mean " + " or ".join(close) + "?"
    rest = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return "it has " + ", ".join(names[:10]) + rest
