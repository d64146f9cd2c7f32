"""Path patterns, and files in a folder."""

import os
from pathlib import Path

import pytest

from tasks.clone_docs.patterns import PathPatterns, folder_digest, folder_files, open_regular
from tasks.clone_docs.settings import SourceSettings
from tasks.errors import UserError


@pytest.mark.parametrize(
    ("path", "included"),
    [
        (b"a.md", True),
        (b"a/b/c.md", True),
        (b".hidden/a.md", True),
        (b"../../a.md", True),
        (b"\xff\xfe/a.md", True),
        (b"with\nnewline/a.md", True),
        (b"with\nnewline.md", True),
        (b"A.MD", False),
        (b"a.md\n", False),
        (b"a.md\nb", False),
        (b"a.md ", False),
        (b"amd", False),
        (b"a.mdx", True),
        (b"a.mdxx", False),
        (b"docs/a.markdown", True),
    ],
)
def test_suffixes_are_compared_byte_by_byte(path: bytes, included: bool) -> None:
    """The default patterns take files that end in .md, .markdown and .mdx, wherever they lie."""
    assert PathPatterns(SourceSettings()).include(path) is included


def test_excludes_and_negations_work_as_in_gitignore() -> None:
    """A later `!` pattern takes back what an earlier one left out; a folder's name covers what is in it."""
    patterns = PathPatterns(SourceSettings(include=["docs/"], exclude=["*.md", "!keep.md", "/old"]))
    assert patterns.include(b"docs/a/b.rst")
    assert not patterns.include(b"other/b.rst")
    assert patterns.exclude(b"docs/a.md")
    assert not patterns.exclude(b"docs/keep.md")
    assert patterns.exclude(b"old/x")


@pytest.mark.parametrize("pattern", ["\\", "[z-a].md"])
def test_a_malformed_pattern_is_named(pattern: str) -> None:
    """A pattern that cannot be read is a user's mistake, and its text is in the message."""
    with pytest.raises(UserError, match="cannot be read") as raised:
        PathPatterns(SourceSettings(exclude=[pattern]))
    assert repr(pattern) in str(raised.value)


def test_links_and_pipes_are_found_but_never_followed(tmp_path: Path) -> None:
    """A symbolic link out of the folder and a pipe are no regular files; linked folders are not entered."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.md").write_text("secret")
    folder = tmp_path / "docs"
    (folder / "sub").mkdir(parents=True)
    (folder / ".git").mkdir()
    (folder / ".git" / "x.md").write_text("x")
    (folder / "sub" / "a.md").write_text("a")
    (folder / "link.md").symlink_to(outside / "secret.md")
    (folder / "linked").symlink_to(outside)
    os.mkfifo(folder / "pipe.md")
    found = folder_files(folder, PathPatterns(SourceSettings()), recursive=True)
    assert [(f.path, f.is_regular) for f in found] == [
        (b"link.md", False),
        (b"pipe.md", False),
        (b"sub/a.md", True),
    ]
    assert folder_digest(folder, SourceSettings())


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """Opening a pipe that took a file's place ends at once, with an error."""
    os.mkfifo(tmp_path / "pipe.md")
    with pytest.raises(UserError, match="not a regular file"):
        open_regular(tmp_path / "pipe.md")


def test_the_digest_follows_what_is_read(tmp_path: Path) -> None:
    """Content and name of a matching file change the digest; other files do not."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.md").write_text("a")
    (tmp_path / "sub" / "b.md").write_text("b")
    digests = [folder_digest(tmp_path, SourceSettings())]
    (tmp_path / "other.txt").write_text("x")
    assert folder_digest(tmp_path, SourceSettings()) == digests[0]
    digests.append(folder_digest(tmp_path, SourceSettings(recursive=False)))
    (tmp_path / "a.md").write_text("A")
    digests.append(folder_digest(tmp_path, SourceSettings()))
    (tmp_path / "a.md").rename(tmp_path / "c.md")
    digests.append(folder_digest(tmp_path, SourceSettings()))
    assert len(set(digests)) == 4


def test_a_folder_that_cannot_be_listed_is_named(tmp_path: Path) -> None:
    """A folder that is not there is a user's mistake that names it."""
    with pytest.raises(UserError, match="nowhere"):
        folder_files(tmp_path / "nowhere", PathPatterns(SourceSettings()), recursive=True)
