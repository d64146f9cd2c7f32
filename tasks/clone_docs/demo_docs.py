"""The demo's documents: the Markdown descriptions that the installed packages carry, as a Git repository.

Only docs-mlm's own dependencies count, so that installing something else beside them changes nothing,
and author and date are fixed, so that the same documents are the same commit.
"""

import re
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from git import Actor, Repo
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from prefect import task

from tasks.errors import UserError
from tasks.stage.log import stage_logger

AUTHOR = Actor("docs-mlm", "demo@docs-mlm.invalid")
DATE = "1767225600 +0000"
"""The first second of 2026."""


def dependencies(name: str = "docs-mlm") -> Iterator[Distribution]:
    """The distributions that `name` needs, directly or through others, in the order of their names."""
    seen: dict[str, Distribution] = {}
    waiting = [name]
    while waiting:
        try:
            found = distribution(waiting.pop())
        except PackageNotFoundError:
            continue
        for line in found.requires or []:
            needed = Requirement(line)
            canonical = canonicalize_name(needed.name)
            if canonical not in seen and (needed.marker is None or needed.marker.evaluate({"extra": ""})):
                try:
                    seen[canonical] = distribution(canonical)
                except PackageNotFoundError:
                    continue
                waiting.append(canonical)
    yield from (seen[key] for key in sorted(seen))


def markdown_of(package: Distribution) -> str | None:
    """The package's description where it is Markdown, or None."""
    metadata = package.metadata.json
    if not str(metadata.get("description_content_type", "")).startswith("text/markdown"):
        return None
    return str(metadata.get("description", "")) or None


def write_repository(folder: Path, documents: dict[str, str]) -> str:
    """Make `folder` a Git repository of one commit that holds `documents` (path → text); its SHA."""
    folder.mkdir(parents=True, exist_ok=True)
    repo = Repo.init(folder, initial_branch="main")
    with repo.config_writer() as config:
        # What a server needs to serve partial clones.
        config.set_value("uploadpack", "allowFilter", "true")
        config.set_value("core", "hooksPath", "/dev/null")
    for old in folder.glob("*.md"):
        old.unlink()
    for path, text in documents.items():
        (folder / path).write_text(text, encoding="utf-8")
    index = repo.index
    stale = [key[0] for key in index.entries if key[0] not in documents]
    if stale:
        index.remove(stale)
    index.add(sorted(documents))
    commit = index.commit(
        "Add the documents",
        parent_commits=[],
        author=AUTHOR,
        committer=AUTHOR,
        author_date=DATE,
        commit_date=DATE,
    )
    repo.close()
    return commit.hexsha


@task
def make_demo_docs(folder: Path) -> str:
    """Write the installed packages' Markdown descriptions into a Git repository, and return its URL."""
    texts = {re.sub(r"[^\w.-]", "_", str(p.metadata["Name"])) + ".md": markdown_of(p) for p in dependencies()}
    documents = {path: text for path, text in texts.items() if text}
    if len(documents) < 20:
        raise UserError(
            f"only {len(documents)} installed packages describe themselves in Markdown, the demo needs 20: "
            "install docs-mlm with its dependencies (`make demo` does)"
        )
    sha = write_repository(folder.expanduser().absolute(), documents)
    size = sum(map(len, documents.values())) / 1e6
    stage_logger().info(
        "Demo repository: %d Markdown documents, %.1f MB, commit %s", len(documents), size, sha[:8]
    )
    return folder.expanduser().absolute().as_uri()
