"""Committing, finding and fetching folders, on files and on a real S3 server."""

import os
import shutil
import threading
from pathlib import Path

import pytest

from tasks.errors import IntegrityError, StoreError, UserError
from tasks.store.folders import Store
from tasks.store.manifest import MANIFEST, Manifest, stored_files
from tests.s3_server import S3Server
from tests.tasks.store.conftest import contents, manifest_for, place


def test_what_is_committed_is_fetched(store: Store, folder: Path, tmp_path: Path) -> None:
    """Every byte comes back, parts and subfolders included, and the record's URI is the place it lies at."""
    uri = store.uri("corpus", "k1")
    assert store.manifest(uri) is None
    written = store.commit(folder, uri, manifest_for(documents={"uri": "elsewhere", "key": "k0"}))
    assert store.manifest(uri) == written
    assert written.record["uri"] == uri
    assert written.ancestors["documents"]["uri"] == store.uri("documents", "k0")
    assert contents(store.fetch(uri, tmp_path / "copy")) == contents(folder)
    assert store.folders(store.uri("corpus")) == ["k1"]
    store.remove(uri)
    assert store.folders(store.uri("corpus")) == []


def test_a_commit_tells_of_every_byte(store: Store, folder: Path) -> None:
    """Whoever watches hears of each file, of a large one on S3 in parts, and in the end of all bytes."""
    told: list[int] = []
    store.commit(folder, store.uri("corpus", "k1"), manifest_for(), told=told.append)
    assert sum(told) == sum(len(content) for content in contents(folder).values())
    assert len(told) >= 4 + 2 * (store.protocol == "s3")


def test_the_first_commit_stands(store: Store, folder: Path, tmp_path: Path) -> None:
    """A second commit of the same key returns the first one's manifest and changes nothing."""
    uri = store.uri("corpus", "k1")
    before = contents(folder)
    first = store.commit(folder, uri, manifest_for())
    (folder / "config.json").write_text("[]")
    assert store.commit(folder, uri, manifest_for()) == first
    assert contents(store.fetch(uri, tmp_path / "copy")) == before


def test_an_earlier_copy_is_used_only_if_it_is_whole(store: Store, folder: Path, tmp_path: Path) -> None:
    """A fetch to where an altered copy lies replaces it."""
    uri, copy = store.uri("corpus", "k1"), tmp_path / "copy"
    store.commit(folder, uri, manifest_for())
    store.fetch(uri, copy)
    inode = (copy / "config.json").stat().st_ino
    assert store.fetch(uri, copy) == copy
    assert (copy / "config.json").stat().st_ino == inode
    (copy / "config.json").write_text("[]")
    assert contents(store.fetch(uri, copy)) == contents(folder)


def test_a_damaged_folder_does_not_pass(store: Store, server: S3Server, folder: Path, tmp_path: Path) -> None:
    """A missing or cut file makes a folder that does not exist, and a flipped bit is caught at the fetch."""
    uri = store.uri("corpus", "k1")
    store.commit(folder, uri, manifest_for())
    stored = place(store, server, "corpus/k1/sub/texts.txt")
    whole = stored.read_bytes()
    stored.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
    with pytest.raises(IntegrityError, match=r"sub/texts\.txt differs"):
        store.fetch(uri, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
    stored.write_bytes(whole[:-1])
    assert store.manifest(uri) is None
    with pytest.raises(IntegrityError, match="has 5999 bytes, not 6000"):
        store.inspect(uri)
    stored.unlink()
    with pytest.raises(IntegrityError, match="is missing"):
        store.inspect(uri)
    with pytest.raises(StoreError, match="nothing complete"):
        store.fetch(uri, tmp_path / "copy")


def test_a_damaged_folder_is_repaired_by_a_commit(
    store: Store, server: S3Server, folder: Path, tmp_path: Path
) -> None:
    """A commit to where a broken folder lies makes it whole."""
    uri = store.uri("corpus", "k1")
    store.commit(folder, uri, manifest_for())
    place(store, server, "corpus/k1/config.json").unlink()
    store.commit(folder, uri, manifest_for())
    assert contents(store.fetch(uri, tmp_path / "copy")) == contents(folder)


def test_a_manifest_of_another_place_does_not_count(store: Store, server: S3Server, folder: Path) -> None:
    """A stored folder that was moved to another key or stage does not exist there."""
    store.commit(folder, store.uri("corpus", "k1"), manifest_for())
    for other in ("corpus/k2", "dataset/k1"):
        place(store, server, other).parent.mkdir(exist_ok=True)
        place(store, server, "corpus/k1").rename(place(store, server, other))
        with pytest.raises(IntegrityError, match="belongs to corpus/k1"):
            store.inspect(store.uri(*other.split("/")))
        place(store, server, other).rename(place(store, server, "corpus/k1"))
    assert store.manifest(store.uri("corpus", "k1")) is not None


@pytest.mark.parametrize("where", ["key", "record", "ancestor"])
def test_a_forged_key_touches_no_folder_of_this_machine(tmp_path: Path, folder: Path, where: str) -> None:
    """A key in a forged manifest that is a path of this machine gets nothing fetched over that folder."""
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("irreplaceable")
    store = Store(str(tmp_path / "store"))
    key = str(precious) if where == "key" else "k1"
    record = {"uri": "x", "key": str(precious) if where == "record" else key}
    ancestors = {"documents": {"uri": "x", "key": str(precious)}} if where == "ancestor" else {}
    forged = Manifest(stage="corpus", key=key, record=record, ancestors=ancestors, files=stored_files(folder))
    place = shutil.copytree(folder, tmp_path / "store" / "corpus" / key.lstrip("/"))
    (place / MANIFEST).write_bytes(forged.dump())
    with pytest.raises(StoreError):
        store.fetch(store.uri("corpus", key), precious)
    assert contents(precious) == {"thesis.txt": b"irreplaceable"}
    assert store.manifest(store.uri("corpus", key)) is None


def test_two_commits_at_once_never_mix(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two runs that commit different bytes under one key leave one of the two, whole; both see that one."""

    def uniform(low: float, high: float) -> float:
        # Of two that drew alike, neither would get on: here the first never waits, the other all its time.
        return low if threading.current_thread().name == "a" else high

    monkeypatch.setattr("tasks.store.s3.random.uniform", uniform)
    for round_ in range(5):
        uri = store.uri("corpus", f"k{round_}")
        written: list[Manifest] = []

        def commit(name: str, uri: str = uri, key: str = f"k{round_}", to: list[Manifest] = written) -> None:
            made = tmp_path / key / name
            made.mkdir(parents=True)
            for i in range(4):
                (made / f"f{i}").write_bytes(name.encode() * 1000 + os.urandom(1000))
            to.append(store.commit(made, uri, manifest_for(key)))

        runs = [threading.Thread(target=commit, name=name, args=(name,)) for name in ("a", "b")]
        for run in runs:
            run.start()
        for run in runs:
            run.join()
        assert len(written) == 2
        stands = store.manifest(uri)
        assert stands in written
        copy = store.fetch(uri, tmp_path / "copy" / str(round_))
        assert len({content[:1] for content in contents(copy).values()}) == 1


def test_a_store_may_be_moved(tmp_path: Path, folder: Path) -> None:
    """A store copied elsewhere gives records whose URIs are those of the new place."""
    old = Store(str(tmp_path / "old"))
    old.commit(folder, old.uri("corpus", "k1"), manifest_for(documents={"uri": "x", "key": "k0"}))
    (tmp_path / "old").rename(tmp_path / "new")
    new = Store((tmp_path / "new").as_uri())
    manifest = new.manifest(new.uri("corpus", "k1"))
    assert manifest is not None
    assert manifest.record["uri"] == new.uri("corpus", "k1")
    assert manifest.ancestors["documents"]["uri"] == new.uri("documents", "k0")


def test_a_file_that_changes_while_it_is_stored_is_refused(store: Store, folder: Path) -> None:
    """A commit of a file that is no longer what was hashed fails, and nothing exists afterwards."""
    uri = store.uri("corpus", "k1")
    stale = [file for file in store.commit(folder, uri, manifest_for()).files if file.name == "config.json"]
    (folder / "config.json").write_text("[1, 2]")
    with pytest.raises(StoreError, match="changed while it was being stored"):
        store.commit(
            folder, store.uri("corpus", "k2"), Manifest(stage="corpus", key="k2", record={}, files=stale)
        )
    assert store.manifest(store.uri("corpus", "k2")) is None


def test_a_manifest_in_the_folder_is_not_copied(store: Store, folder: Path) -> None:
    """A fetched or spooled folder's own manifest never takes the place of the new one."""
    (folder / MANIFEST).write_text("{}")
    written = store.commit(folder, store.uri("corpus", "k1"), manifest_for())
    assert MANIFEST not in {file.name for file in written.files}
    assert store.manifest(store.uri("corpus", "k1")) == written


def test_a_folder_is_removed_from_its_manifest_on(
    store: Store, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deleting that is cut off at any file leaves no folder that counts as whole or damaged."""
    uri = store.uri("corpus", "k1")
    store.commit(folder, uri, manifest_for())
    deleted: list[str] = []

    def cut_off(*arguments: object, **_: object) -> None:
        deleted.append(str(arguments))
        raise OSError("cut off")

    if store.protocol == "file":
        monkeypatch.setattr("tasks.store.local.shutil.rmtree", cut_off)
    else:
        monkeypatch.setattr("tasks.store.s3.each", cut_off)
    with pytest.raises(StoreError, match="cut off"):
        store.remove(uri)
    assert deleted
    assert store.inspect(uri) is None


def test_small_objects(store: Store, server: S3Server) -> None:
    """A JSON object reads as it was written; an absent or broken one reads as None."""
    uri = store.uri("models", "latest.json")
    assert store.read_json(uri) is None
    store.write_json(uri, {"key": "k1"})
    store.write_json(uri, {"key": "k2"})
    assert store.read_json(uri) == {"key": "k2"}
    place(store, server, "models/latest.json").write_bytes(b"{")
    assert store.read_json(uri) is None


@pytest.mark.parametrize(
    "uri", ["file:///etc", "s3://other/x", "{store}x/y", "{store}/../y", "{store}/a/../../y"]
)
def test_a_uri_outside_the_store_is_refused(tmp_path: Path, uri: str) -> None:
    """No URI leads out of the store."""
    store = Store(str(tmp_path / "store"))
    with pytest.raises(UserError, match="is not in the store"):
        store.manifest(uri.format(store=store.url))


@pytest.mark.parametrize("url", ["gs://bucket", "http://host/x", "s3://", "s3:///"])
def test_other_urls_are_refused(url: str) -> None:
    """A store is a folder, file:// or s3:// with a bucket."""
    with pytest.raises(UserError, match=r"use .*s3://"):
        Store(url)
