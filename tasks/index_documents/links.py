"""Where a document can be read on the host of its repository, at a commit and a line."""

import re
from collections.abc import Callable
from urllib.parse import quote, unquote, urlsplit

_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_OF_SSH = re.compile(r"(?:[\w.-]+@)?([\w.-]+\.[\w.-]+):(?!/)(.+)")
"""As Git takes it: `git@host:owner/docs.git`."""
_OLD_AZURE = ".visualstudio.com"


def link(source: str, commit_sha: str, path: str, line: int | None = None) -> str | None:
    """The URL of a document at a commit, and at a line from 1; None where its host is not a known one.

    GitHub, GitLab (and hosts that are called after either), Bitbucket and Azure DevOps are known.

    Args:
        source: the repository's URL, as Git takes it.
        path: the document's, in the repository.
    """
    if not _COMMIT.fullmatch(commit_sha):
        return None
    host, repository = _parts(source)
    if not host or not repository:
        return None
    for is_host, make in _HOSTS:
        if is_host(host):
            return make(host, repository, commit_sha, path, line)
    return None


def _parts(source: str) -> tuple[str, str]:
    """The host, and the repository's path on it; both empty where there is none."""
    if "://" not in source:
        found = _OF_SSH.fullmatch(source)
        return (found[1].lower(), _clean(found[2])) if found else ("", "")
    try:
        parts = urlsplit(source)
        host = (parts.hostname or "").lower()
        # A port of SSH's is not that of the pages.
        port = f":{parts.port}" if parts.port and parts.scheme in ("http", "https") else ""
    except ValueError:
        return "", ""
    return (f"{host}{port}", _clean(parts.path)) if parts.scheme != "file" else ("", "")


def _clean(path: str) -> str:
    return unquote(path).strip("/").removesuffix(".git")


def _quoted(path: str) -> str:
    return quote(path, safe="/-_.~")


def _github(host: str, repository: str, commit: str, path: str, line: int | None) -> str:
    # A page of Markdown is shown as such, without lines, unless it is asked for as it is.
    at = f"?plain=1#L{line}" if line else ""
    return f"https://{host}/{_quoted(repository)}/blob/{commit}/{_quoted(path)}{at}"


def _gitlab(host: str, repository: str, commit: str, path: str, line: int | None) -> str:
    at = f"?plain=1#L{line}" if line else ""
    return f"https://{host}/{_quoted(repository)}/-/blob/{commit}/{_quoted(path)}{at}"


def _bitbucket(host: str, repository: str, commit: str, path: str, line: int | None) -> str:
    at = f"#lines-{line}" if line else ""
    return f"https://{host}/{_quoted(repository)}/src/{commit}/{_quoted(path)}{at}"


def _azure(host: str, repository: str, commit: str, path: str, line: int | None) -> str | None:
    """`dev.azure.com/organisation/project/_git/docs`, or without the project where it has the same name."""
    names = repository.split("/")
    if host == f"ssh{_HOST_OF_AZURE}" or host.startswith("vs-ssh"):
        # `v3/organisation/project/docs`
        if len(names) != 4:
            return None
        place = f"{names[1]}/{names[2]}/_git/{names[3]}"
        host = "dev.azure.com"
    elif "_git" in names:
        place = repository
    else:
        return None
    at = f"&line={line}&lineEnd={line + 1}&lineStartColumn=1&lineEndColumn=1" if line else ""
    page = f"path={quote('/' + path, safe='/-_.~')}&version=GC{commit}{at}&_a=contents"
    return f"https://{host}/{_quoted(place)}?{page}"


_HOST_OF_AZURE = ".dev.azure.com"
_Link = Callable[[str, str, str, str, int | None], str | None]
_HOSTS: tuple[tuple[Callable[[str], bool], _Link], ...] = (
    (lambda host: host == "bitbucket.org", _bitbucket),
    (lambda host: host in ("dev.azure.com", f"ssh{_HOST_OF_AZURE}") or host.endswith(_OLD_AZURE), _azure),
    (lambda host: host.startswith("github."), _github),
    (lambda host: host.startswith("gitlab."), _gitlab),
)
"""A host's name (with its port, if it has one), and what its pages are called."""
