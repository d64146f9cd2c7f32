"""A store knows itself, so that nothing that is a person's is ever deleted as if it were a leftover."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.errors import StoreError, UserError
from tasks.filter_markdown.stage import filter_markdown
from tasks.records import DocsSnapshot
from tasks.store.care import sweep
from tasks.store.folders import Store
from tasks.store.marker import MARKER, is_own
from tests.s3_server import S3Server
from tests.tasks.store.conftest import KEY, contents, manifest_for, place

MINE = (
    "Documents/thesis/chapter.tex",
    "photos/2024/sea.jpg",
    "projects/app/main.py",
    "projects/app/download.partial",
    "notes.partial",
    "models/llama/7b/model.safetensors",
    "models/llama/manifest.json",
    "models/weights.partial",
    "models/.hidden/cache.lease",
    "documents/taxes/2024.pdf",
    "documents/letter.txt",
    "training/plan.lease",
    "checkpoints/game/level-3/save.bin",
)
"""What a person may have beside a store, in folders of its names too."""


def fill(root: Path) -> dict[str, bytes]:
    """A person's files, old."""
    for name in MINE:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f'{{"mine": "{name}"}}')
        os.utime(root / name, (0, 0))
    return contents(root)


def leave(store_root: Path, name: str) -> Path:
    """An old file as a crashed run leaves it."""
    left = store_root / name
    left.parent.mkdir(parents=True, exist_ok=True)
    left.write_bytes(b"left")
    os.utime(left, (0, 0))
    return left


def test_a_folder_that_is_no_store_is_let_be(store: Store, server: S3Server) -> None:
    """In a home folder, or a bucket with other things, nothing is even listed; the error names the marker."""
    root = place(store, server, "")
    before = fill(root)
    for remove in (True, False):
        with pytest.raises(UserError, match=rf"no {MARKER}.*--store"):
            sweep(store, older_than=0, remove=remove)
    with pytest.raises(UserError, match=MARKER):
        store.remove(store.uri("models", "llama"))
    assert contents(root) == before


def test_what_is_a_persons_stays_in_a_store_too(store: Store, server: S3Server, folder: Path) -> None:
    """A store made right in a home folder takes away its own leftovers and no file of its owner's."""
    root = place(store, server, "")
    before = fill(root)
    store.commit(folder, store.uri("corpus", KEY), manifest_for(KEY))
    stored = contents(root)
    left = leave(root, f"models/{KEY}/model.safetensors")
    assert [found.uri for found in sweep(store, older_than=0)] == [store.uri("models", KEY)]
    assert not left.exists()
    assert contents(root) == stored
    assert before.items() <= stored.items()


def test_a_store_inside_a_home_folder(store: Store, server: S3Server, folder: Path) -> None:
    """A store below the folder that is named makes that folder no store."""
    root = place(store, server, "")
    before = fill(root)
    inner = Store(store.uri("projects", "models"), patience=5)
    inner.commit(folder, inner.uri("corpus", KEY), manifest_for(KEY))
    with pytest.raises(UserError, match=MARKER):
        sweep(store, older_than=0)
    assert before.items() <= contents(root).items()


def test_the_first_commit_leaves_the_marker(store: Store, server: S3Server, folder: Path) -> None:
    """It holds the format's version, and later commits leave it as it is."""
    marker = place(store, server, MARKER)
    store.check(write=True)
    assert not marker.exists()
    store.commit(folder, store.uri("corpus", "k1"), manifest_for())
    assert json.loads(marker.read_text())["format"] == 1
    os.utime(marker, (0, 0))
    store.commit(folder, store.uri("corpus", "k2"), manifest_for("k2"))
    assert marker.stat().st_mtime == 0


@pytest.mark.parametrize("where", ["corpus/k1", f"checkpoints/{KEY}/step-1"])
def test_a_store_of_an_earlier_version(store: Store, server: S3Server, folder: Path, where: str) -> None:
    """One without a marker is known by a manifest in its place, and gets the marker with its next commit."""
    stage, _, key = where.partition("/")
    store.commit(folder, store.uri(where), manifest_for(key, stage=stage))
    marker = place(store, server, MARKER)
    for content in (None, b"{", b"[]"):
        marker.unlink() if content is None else marker.write_bytes(content)
        leave(place(store, server, ""), f"models/{KEY}/model.safetensors")
        assert len(sweep(store, older_than=0)) == 1
    store.commit(folder, store.uri("corpus", "k2"), manifest_for("k2"))
    assert json.loads(marker.read_text())["format"] == 1


def forged(manifest: bytes) -> bytes:
    """The manifest with a key that its own hash does not cover."""
    return manifest.replace(b'"k1"', b'"k2"')


@pytest.mark.parametrize("spoil", [forged, lambda manifest: manifest[:-5], lambda manifest: b"{}"])
def test_another_manifest_makes_no_store(
    store: Store, server: S3Server, folder: Path, spoil: Callable[[bytes], bytes]
) -> None:
    """A manifest of another form, or of another place, vouches for no store."""
    store.commit(folder, store.uri("corpus", "k1"), manifest_for())
    place(store, server, MARKER).unlink()
    manifest = place(store, server, "corpus/k1/manifest.json")
    whole = manifest.read_bytes()
    manifest.write_bytes(spoil(whole))
    with pytest.raises(UserError, match=MARKER):
        sweep(store, older_than=0)
    manifest.write_bytes(whole)
    place(store, server, "corpus/k1").rename(place(store, server, "corpus/k2"))
    with pytest.raises(UserError, match=MARKER):
        sweep(store, older_than=0)


@pytest.mark.parametrize("known", [2, 0, "1", None, True])
def test_a_later_format_is_refused(store: Store, server: S3Server, folder: Path, known: object) -> None:
    """A store of a later version is neither read as this one, nor written, nor swept."""
    store.commit(folder, store.uri("corpus", "k1"), manifest_for())
    place(store, server, MARKER).write_text(json.dumps({"format": known}))
    before = contents(place(store, server, ""))
    for work in (
        lambda: store.check(write=False),
        lambda: store.commit(folder, store.uri("corpus", "k2"), manifest_for("k2")),
        lambda: sweep(store, older_than=0),
        lambda: store.remove(store.uri("corpus", "k1")),
    ):
        with pytest.raises(UserError, match="upgrade docs-mlm"):
            work()
    assert contents(place(store, server, "")) == before


@pytest.mark.parametrize("path", ["", "corpus", "photos/2024", MARKER])
def test_only_results_are_removed(store: Store, folder: Path, path: str) -> None:
    """The store as a whole, a stage's folder and what is none are never what is deleted."""
    store.commit(folder, store.uri("corpus", "k1"), manifest_for())
    with pytest.raises(UserError, match="nothing else is deleted"):
        store.remove(store.uri(path) if path else store.url)
    assert store.manifest(store.uri("corpus", "k1")) is not None


def test_no_link_is_followed(tmp_path: Path, folder: Path) -> None:
    """Links out of the store, at any depth, lose neither themselves nor what they lead to."""
    root, store = tmp_path / "store", Store(str(tmp_path / "store"))
    store.commit(folder, store.uri("corpus", KEY), manifest_for(KEY))
    precious = tmp_path / "precious"
    leave(precious, f"{KEY}/thesis.tex")
    leave(precious, f".{KEY}.0123abcd.partial")
    leave(precious, "letter.txt")
    leave(root, f"tokenized/{KEY}/data.arrow")
    leave(root, f"dataset/{KEY}/data.arrow")
    for link, target in (
        ("models", precious),
        (f"documents/{KEY}", precious / KEY),
        (f"documents/{KEY[::-1]}.lease", precious / "letter.txt"),
        (f"tokenized/{KEY}/sub", precious),
        (f"dataset/{KEY}/a", precious / "letter.txt"),
        (f"corpus/.{KEY}.0123abcd.partial", precious / KEY),
        (".probe-1-0123abcd", precious / "letter.txt"),
    ):
        (root / link).parent.mkdir(exist_ok=True)
        (root / link).symlink_to(target)
    before, links = contents(precious), sorted(path for path in root.rglob("*") if path.is_symlink())
    assert sweep(store, older_than=-1) == []
    for name in (f"models/{KEY}", f"documents/{KEY}"):
        with pytest.raises(StoreError, match="is a symbolic link"):
            store.remove(store.uri(name))
    assert contents(precious) == before
    assert sorted(path for path in root.rglob("*") if path.is_symlink()) == links


def test_a_result_by_way_of_links_is_whole(tmp_path: Path, folder: Path) -> None:
    """A result whose manifest is a link, as some tools that save space make it, is no leftover."""
    store = Store(str(tmp_path / "store"))
    store.commit(folder, store.uri("corpus", KEY), manifest_for(KEY))
    manifest = tmp_path / "store" / "corpus" / KEY / "manifest.json"
    manifest.rename(tmp_path / "elsewhere.json")
    manifest.symlink_to(tmp_path / "elsewhere.json")
    assert sweep(store, older_than=-1) == []
    assert store.manifest(store.uri("corpus", KEY)) is not None


def test_a_copy_is_put_anew_beside_a_link(tmp_path: Path, folder: Path) -> None:
    """A fetch to where a link leads to other files takes the link away and not the files."""
    store, precious = Store(str(tmp_path / "store")), tmp_path / "precious"
    store.commit(folder, store.uri("corpus", "k1"), manifest_for())
    leave(precious, "thesis.tex")
    (tmp_path / "copy").symlink_to(precious)
    assert contents(store.fetch(store.uri("corpus", "k1"), tmp_path / "copy")) == contents(folder)
    assert contents(precious) == {"thesis.tex": b"left"}


def test_a_stages_key_is_a_name_of_ours() -> None:
    """What a stage calls its result is what `sweep` takes for one."""
    key = filter_markdown.key({}, {DocsSnapshot: KEY})
    assert is_own(f"corpus/{key}")
