"""Stores on a folder: full disks, places that cannot be written, and folders that are never half there."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tasks.errors import MissingStoreError, StoreError
from tasks.store import Store
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
