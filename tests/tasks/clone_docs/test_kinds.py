"""Each kind of source is told apart once, and its key heeds what decides its documents."""

from pathlib import Path
from typing import Any

import pytest

from tasks.clone_docs.file_sources import FolderSource, JsonSource
from tasks.clone_docs.git_sources import CheckoutSource, UrlSource
from tasks.clone_docs.kinds import source_of
from tasks.clone_docs.pinned import PinnedSource
from tasks.clone_docs.settings import SourceSettings
from tasks.clone_docs.stage import recipe
from tasks.errors import UserError

PATTERNS: dict[str, Any] = {"include": ["*.rst"], "exclude": ["old/"]}


@pytest.mark.parametrize(
    ("given", "kind", "heeded"),
    [
        ({"url": "https://h/o/r.git"}, UrlSource, PATTERNS),
        ({"checkout": Path("work")}, CheckoutSource, PATTERNS),
        ({"folder": Path("docs")}, FolderSource, PATTERNS | {"recursive": False}),
        ({"json_file": Path("texts.json")}, JsonSource, {}),
    ],
)
def test_a_key_heeds_what_decides_the_documents(
    given: dict[str, Any], kind: type, heeded: dict[str, Any]
) -> None:
    """A snapshot's key has the content, the largest file, and of the rest what this kind is read by."""
    settings = SourceSettings(**given, **PATTERNS, recursive=False, max_file_bytes=9, fetch="full")
    source = source_of(settings)
    assert type(source) is kind
    pinned = PinnedSource(kind=source.kind, name="n", identity="i", commit_sha="c", ref="refs/heads/main")
    assert recipe(pinned, settings) == {
        "source": "i",
        "commit_sha": "c",
        "max_file_bytes": 9,
        **heeded,
    }


def test_no_source_is_told_the_four_ways() -> None:
    """Without a source the message names the flag of each kind."""
    with pytest.raises(UserError) as raised:
        source_of(SourceSettings())
    for flag in ("--source.url", "--source.checkout", "--source.folder", "--source.json-file"):
        assert flag in str(raised.value)
