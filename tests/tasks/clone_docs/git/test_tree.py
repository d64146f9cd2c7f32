"""Reading trees that were made to harm."""

import tracemalloc
from pathlib import Path

import pytest

from tasks.clone_docs.git.access import local_access
from tasks.clone_docs.git.command import GitRepository
from tasks.clone_docs.git.errors import BrokenCloneError
from tasks.clone_docs.git.tree import read_blobs
from tasks.errors import UserError
from tests.git_server import GitServer, git, make_repository
from tests.tasks.clone_docs.conftest import Clone, Rows

LONG = "x" * 3_990 + ".md"


def _blob(repository: Path, content: bytes) -> str:
    return git(repository, "hash-object", "-w", "--stdin", stdin=content)


def _tree(repository: Path, *entries: tuple[str, str, bytes]) -> str:
    """A tree object of (mode, id, name), written byte by byte, as `git mktree` would refuse to."""
    raw = b"".join(
        mode.encode() + b" " + name + b"\0" + bytes.fromhex(sha)
        for mode, sha, name in sorted(entries, key=lambda e: e[2] + (b"/" if e[0] == "40000" else b""))
    )
    return git(repository, "hash-object", "-w", "-t", "tree", "--literally", "--stdin", stdin=raw)


def _publish(repository: Path, tree: str) -> None:
    commit = git(repository, "commit-tree", "-m", "x", tree)
    git(repository, "update-ref", "refs/heads/main", commit)


@pytest.fixture
def repository(server: GitServer) -> Path:
    """An empty repository, served as docs.git."""
    make_repository(server.root / "docs.git")
    return server.root / "docs.git"


def _rows(rows: Rows) -> list[tuple[str, bytes | None, str | None]]:
    return [(row["path"], row["content"], row["reason"]) for row in rows]


def test_odd_names_and_modes_come_through(server: GitServer, clone: Clone, repository: Path) -> None:
    """Newlines, bytes that are no UTF-8, long names, links and submodules are counted, never followed."""
    text = _blob(repository, b"text")
    link = _blob(repository, b"/etc/passwd")
    _publish(
        repository,
        _tree(
            repository,
            ("100644", text, b"with\nnewline.md"),
            ("100644", text, b"ends.md\n"),
            ("100644", text, b"\xff\xfe.md"),
            ("100755", text, LONG.encode()),
            ("100644", text, b"-x --y.md"),
            ("100644", text, b"C:\\windows\\a.md"),
            ("120000", link, b"link.md"),
            ("160000", "ab" * 20, b"module.md"),
        ),
    )
    record, rows = clone(url=server.url("docs.git"))
    assert _rows(rows) == [
        ("-x --y.md", b"text", None),
        ("C:\\windows\\a.md", b"text", None),
        ("link.md", None, "not_regular_file"),
        ("module.md", None, "not_regular_file"),
        ("with\nnewline.md", b"text", None),
        (LONG, b"text", None),
        ("\\xff\\xfe.md", b"text", None),
    ]
    assert (record.found, record.read) == (7, 5)


@pytest.mark.parametrize("name", [b"..", b".git", b".", b"../../x.md", b"/etc"])
def test_paths_that_climb_out_are_refused_or_harmless(
    server: GitServer, clone: Clone, repository: Path, tmp_path: Path, name: bytes
) -> None:
    """A path that climbs out is refused from a server; from a checkout it is a name like any other."""
    inner = _tree(repository, ("100644", _blob(repository, b"text"), b"x.md"))
    entry = ("100644", _blob(repository, b"text"), name) if b"/" in name else ("40000", inner, name)
    _publish(repository, _tree(repository, entry))
    with pytest.raises(UserError, match="malformed objects"):
        clone(url=server.url("docs.git"))
    before = sorted(path for path in tmp_path.rglob("x.md"))
    if name != b"/etc":
        _, rows = clone(checkout=repository)
        assert [row["content"] for row in rows] == [b"text"]
    assert sorted(path for path in tmp_path.rglob("x.md")) == before == []


def test_slips_of_old_repositories_are_tolerated(server: GitServer, clone: Clone, repository: Path) -> None:
    """A mode with a leading zero, as old tools wrote it, stops no clone."""
    inner = _tree(repository, ("100644", _blob(repository, b"text"), b"a.md"))
    _publish(repository, _tree(repository, ("040000", inner, b"docs")))
    assert _rows(clone(url=server.url("docs.git"))[1]) == [("docs/a.md", b"text", None)]


def test_a_huge_blob_is_not_kept(server: GitServer, clone: Clone, repository: Path) -> None:
    """A file above the limit is streamed past, counted, and what follows is read right."""
    huge = _blob(repository, bytes(30_000_000))
    small = _blob(repository, b"text")
    _publish(repository, _tree(repository, ("100644", huge, b"a.md"), ("100644", small, b"b.md")))
    record, rows = clone(url=server.url("docs.git"))
    assert _rows(rows) == [("a.md", None, "too_large"), ("b.md", b"text", None)]
    assert rows[0]["size"] == 30_000_000
    assert record.bytes_read == 4


def test_a_huge_blob_takes_no_memory(repository: Path) -> None:
    """Of a file above the limit no more than a block is in memory at a time, however large it is."""
    huge = _blob(repository, bytes(30_000_000))
    git_ = GitRepository(access=local_access(), git_dir=repository)
    tracemalloc.start()
    try:
        assert list(read_blobs(git_, [huge], 1_000_000)) == [(30_000_000, None)]
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_bytes_that_are_not_those_of_their_name_are_refused(repository: Path) -> None:
    """A file whose stored bytes are whole, but another file's, is a broken clone and no document."""
    ours, theirs = _blob(repository, b"ours"), _blob(repository, b"theirs")
    place, other = (repository / "objects" / sha[:2] / sha[2:] for sha in (ours, theirs))
    place.chmod(0o644)
    place.write_bytes(other.read_bytes())
    git_ = GitRepository(access=local_access(), git_dir=repository)
    with pytest.raises(BrokenCloneError, match="holds other bytes"):
        list(read_blobs(git_, [ours], 1_000))


def test_one_blob_under_many_names_is_each_document(
    server: GitServer, clone: Clone, repository: Path
) -> None:
    """Equal files are all stored, an empty one among them."""
    text, empty = _blob(repository, b"text"), _blob(repository, b"")
    _publish(repository, _tree(repository, *[("100644", s, n) for s, n in
             ((text, b"a.md"), (empty, b"b.md"), (text, b"c.md"))]))  # fmt: skip
    assert _rows(clone(url=server.url("docs.git"))[1]) == [
        ("a.md", b"text", None),
        ("b.md", b"", None),
        ("c.md", b"text", None),
    ]
