"""Where a link leads, as the builders have it: a document of the same source, and a name in it.

Relative to the file (Git hosts, DocFX, Docusaurus, MkDocs), or to the page's address (Hugo, Jekyll, pretty
addresses); from the root of the repository, or from the root of the site. Where that root lies is what most
of the links say: the folder and the address before what a link and a document's path have in common.
"""

import posixpath
import re
from collections import Counter
from collections.abc import Iterable
from urllib.parse import unquote

_EXTENSION = re.compile(r"\.(?:md|mdx|markdown|mdown|mkd|html?)$", re.IGNORECASE)
_INDEX = re.compile(r"(?:^|/)(?:_?index|readme)$", re.IGNORECASE)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_REFERENCE = re.compile(r"\{\{[<%]-?\s*(?:rel)?ref\s+(?:path=)?[\"']?([^\"'\s>%]+)[\"']?.*?\}\}")
_LINK_TAG = re.compile(r"\{%-?\s*(?:link|post_url)\s+(\S+?)\s*-?%\}")
_FILTERED = re.compile(r"\{\{-?\s*[\"']([^\"']+)[\"']\s*\|[^}]*\}\}")
_VALUE = re.compile(r"\{\{[^{}]*\}\}|\{%[^{}]*%\}")
ROOTS = ("~/", "@site/", "@/", "@docs/")
"""What stands for the root of a site in DocFX, Docusaurus and others."""
_VOTERS = 20_000
"""Links from the root by which it is told where that lies."""
_MOST_ALIKE = 200
"""Documents of the same last name that are compared with a link."""


def split_target(target: str) -> tuple[str, str, str | None]:
    """The address and the name in it that a link's target says, decoded; and why it is none of ours, or None.

    `?query` is left out. The name is what stands behind `#`.
    """
    target = _plain(target.strip())
    if target.startswith(("//", "\\\\")):
        return "", "", "absolute_address"
    if scheme := _SCHEME.match(target):
        known = scheme[0].lower() in ("http:", "https:", "ftp:")
        return "", "", "absolute_address" if known else "other_address"
    address, _, name = target.partition("#")
    address = address.partition("?")[0]
    return unquote(address).replace("\\", "/"), unquote(name), None


def _plain(target: str) -> str:
    """A target without the templates of Hugo and Jekyll around it."""
    if "{" not in target:
        return target
    if found := _REFERENCE.search(target) or _FILTERED.search(target):
        return target[: found.start()] + found[1] + target[found.end() :]
    if found := _LINK_TAG.search(target):
        return f"/{found[1]}{target[found.end() :]}"
    return _VALUE.sub("", target)


def canonical(path: str) -> str:
    """A path as all builders' addresses have it: without an extension, `index` or a slash at its end."""
    return _INDEX.sub("", _EXTENSION.sub("", path.strip("/"))).rstrip("/")


def parted(path: str) -> tuple[str, str]:
    """The source's name of a document of a joint corpus, or nothing, and its path there."""
    source, colon, own = path.partition(":")
    return (source, own) if colon else ("", path)


class Documents:
    """The documents of a corpus by their paths, for links to be resolved."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._by_path: dict[str, int] = {}
        self._by_address: dict[tuple[str, str], int] = {}
        self._roots: dict[str, tuple[str, str]] = {}
        for number, path in enumerate(paths):
            self._by_path[path] = number
            source, own = parted(path)
            self._by_address.setdefault((source, canonical(own)), number)

    def find_roots(self, links: Iterable[tuple[str, str]]) -> None:
        """Learn where the sites' roots lie.

        Args:
            links: the path of a document and the address that a link in it leads to, from the root or not.
        """
        wanted = [(parted(path)[0], canonical(address)) for path, address in _from_root(links)]
        last = {address.rpartition("/")[2] for _, address in wanted}
        named: dict[tuple[str, str], list[str]] = {}
        for source, address in self._by_address:
            if (name := address.rpartition("/")[2]) in last:
                named.setdefault((source, name), []).append(address)
        votes: dict[str, Counter[tuple[str, str]]] = {}
        for source, address in wanted:
            for other in named.get((source, address.rpartition("/")[2]), ())[:_MOST_ALIKE]:
                votes.setdefault(source, Counter())[_before_common(address, other)] += 1
        for source, counted in votes.items():
            self._roots[source] = min(counted, key=lambda root: (-counted[root], len("".join(root)), root))

    def find(self, path: str, address: str) -> int | None:
        """The number of the document that an address in the document at `path` leads to, or None."""
        source, own = parted(path)
        if not address:
            return self._by_path.get(path)
        for root in ROOTS:
            address = f"/{address.removeprefix(root)}" if address.startswith(root) else address
        if address.startswith("/"):
            return self._from_roots(source, address)
        page = canonical(own)
        found = self._at(source, posixpath.join(posixpath.dirname(own), address))
        if found is None and not _EXTENSION.search(address):
            found = self._at(source, posixpath.join(page, address))
        if found is None and not address.startswith("."):
            return self._from_roots(source, address)
        return found

    def _from_roots(self, source: str, address: str) -> int | None:
        address = posixpath.normpath(f"/{address}").lstrip("/")
        found = self._at(source, address)
        before, folder = self._roots.get(source, ("", ""))
        if found is None and (not before or f"{address}/".startswith(f"{before}/")):
            found = self._at(source, posixpath.join(folder, address.removeprefix(before).lstrip("/")))
        return found

    def _at(self, source: str, path: str) -> int | None:
        path = posixpath.normpath(path) if path else ""
        if path.startswith(".."):
            return None
        exact = self._by_path.get(f"{source}:{path}" if source else path)
        address = "" if path == "." else canonical(path)
        return self._by_address.get((source, address)) if exact is None else exact


def _from_root(links: Iterable[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    for number, link in enumerate(link for link in links if link[1].startswith("/")):
        if number == _VOTERS:
            break
        yield link


def _before_common(address: str, other: str) -> tuple[str, str]:
    """What stands before the names at the end that an address and another have in common."""
    one, two = address.split("/"), other.split("/")
    while one and two and one[-1] == two[-1]:
        one.pop()
        two.pop()
    return "/".join(one), "/".join(two)
