"""Stores on a folder: full disks, places that cannot be written, and folders that are never half there."""

import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tasks.errors import MissingStoreError, StoreError
from tasks.store.folders import Store
from tests.tasks.store.conftest import contents, manifest_for


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """A full disk's nearest relative that needs no rights: writing beyond `size` bytes fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_no_space_in_the_store(tmp_path: Path, folder: Path) -> None:
    """A commit to a full disk says so, leaves nothing, and spoils nothing that was there."""
    store = Store(str(tmp_path / "store"))
    store.commit(folder, store.uri("corpus", "k1"), manifest_for())
    before = contents(tmp_path / "store")
    with no_file_larger_than(1 << 20), pytest.raises(StoreError, match="no space left"):
        store.commit(folder, store.uri("corpus", "k2"), manifest_for("k2"))
    assert contents(tmp_path / "store") == before
    assert list((tmp_path / "store" / "corpus").iterdir()) == [tmp_path / "store" / "corpus" / "k1"]


def test_no_space_for_a_small_object(tmp_path: Path) -> None:
    """An object that a full disk cuts off leaves the one before it as it was, and nothing beside it."""
    store = Store(str(tmp_path / "store"))
    uri = store.uri("models", "latest.json")
    store.write_json(uri, {"key": "k1"})
    with no_file_larger_than(10), pytest.raises(StoreError, match="no space left"):
        store.write_json(uri, {"key": "k2" * 10})
    assert store.read_json(uri) == {"key": "k1"}
    assert [path.name for path in (tmp_path / "store" / "models").iterdir()] == ["latest.json"]


def test_no_space_for_a_copy(store: Store, tmp_path: Path, folder: Path) -> None:
    """A fetch to a full disk says so and leaves no part of a copy."""
    uri = store.uri("corpus", "k1")
    store.commit(folder, uri, manifest_for())
    with no_file_larger_than(1 << 20), pytest.raises(StoreError, match="no space left"):
        store.fetch(uri, tmp_path / "copies" / "copy")
    assert list((tmp_path / "copies").iterdir()) == []


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="names of open files come from /proc")
def test_a_power_cut_finds_all_or_nothing(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every byte and every name is on the disk before the rename that makes it count, which is, too."""
    done: list[str] = []
    flush, rename, replace = os.fsync, Path.rename, Path.replace

    def flushed(descriptor: int) -> None:
        flush(descriptor)
        done.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)

    def noted(method: Callable[[Path, Path], Path]) -> Callable[[Path, Path], Path]:
        def note(place: Path, target: Path) -> Path:
            done.append("renamed")
            return method(place, target)

        return note

    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(Path, "rename", noted(rename))
    monkeypatch.setattr(Path, "replace", noted(replace))
    store = Store(str(tmp_path / "store"))
    store.commit(folder, store.uri("dataset", "k0"), manifest_for("k0", stage="dataset"))
    done.clear()  # the first commit writes the store's marker before
    store.commit(folder, store.uri("corpus", "k1"), manifest_for())
    files = {Path(name).name for name in contents(folder)} | {"manifest.json", "sub"}
    before, after = done[: done.index("renamed")], done[done.index("renamed") + 1 :]
    assert files < set(before)
    assert before[-1].endswith(".partial"), "the folder itself, after all that is in it"
    assert after == ["corpus"]
    done.clear()
    store.write_json(store.uri("models", "latest.json"), {"key": "k1"})
    assert done[0].startswith(".latest.json.")
    assert done[1:] == ["renamed", "models"]


@pytest.mark.parametrize("root", ["a-file", "a-file/store", "/proc/store", "/dev/null"])
def test_a_place_that_cannot_be_written(tmp_path: Path, folder: Path, root: str) -> None:
    """A store at a place where no folder can be is the user's to mend, whatever is asked of it."""
    (tmp_path / "a-file").touch()
    store = Store(str(tmp_path / root))
    with pytest.raises(MissingStoreError, match="choose another with --store"):
        store.check(write=True)
    with pytest.raises(MissingStoreError, match="choose another with --store"):
        store.commit(folder, store.uri("corpus", "k1"), manifest_for())
    assert store.manifest(store.uri("corpus", "k1")) is None


def test_checking_leaves_nothing(tmp_path: Path) -> None:
    """A check for reading makes no folder, and one for writing leaves no file."""
    store = Store(str(tmp_path / "store"))
    store.check(write=False)
    assert not (tmp_path / "store").exists()
    store.check(write=True)
    assert list((tmp_path / "store").iterdir()) == []
