"""Published models are found and listed."""

import json
import logging
import shutil

import pytest

from tasks.errors import IntegrityError, UserError
from tasks.models.newest import move_latest, newest_model, to_verify
from tasks.models.published import list_versions, local_model
from tasks.records import PublishedModel
from tasks.store.folders import Store
from tasks.store.manifest import Manifest
from tests.tiny import save_tiny_bert


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A folder with a tiny BERT."""
    return save_tiny_bert(tmp_path_factory.mktemp("tiny"))


def publish(store: Store, folder, key: str, version: str) -> str:
    """Commit a model as a version."""
    ancestors = {
        "documents": {"source": "https://example.org/docs.git", "commit_sha": "1" * 40},
        "corpus": {"kept": 5},
        "training": {"global_step": 3, "eval_before": None, "eval_after": {"loss": 2.0, "accuracy": 0.5}},
    }
    uri = store.uri("models", key)
    record = {"uri": uri, "key": key, "version": version}
    store.commit(folder, uri, Manifest(stage="models", key=key, record=record, ancestors=ancestors))
    return uri


def test_versions_are_listed_oldest_first_without_torn_ones(tiny, tmp_path):
    """A folder without a manifest is no version."""
    store = Store(str(tmp_path / "store"))
    publish(store, tiny, "b" * 32, "20260102")
    publish(store, tiny, "c" * 32, "20260101")
    torn = tmp_path / "store" / "models" / ("d" * 32)
    torn.mkdir()
    (torn / "config.json").write_text("{}")
    versions = list_versions(store)
    assert [version.version for version in versions] == ["20260101", "20260102"]
    assert (versions[0].documents, versions[0].loss_before, versions[0].loss_after) == (5, None, 2.0)


def test_a_model_is_found_by_every_name_it_has(tiny, tmp_path):
    """A folder, a version, a URI, or nothing at all for the newest."""
    store = Store(str(tmp_path / "store"))
    uri = publish(store, tiny, "b" * 32, "20260102")
    with pytest.raises(UserError, match="no model is published"):
        local_model(store, None, tmp_path / "work")
    store.write_json(store.uri("models", "latest.json"), {"key": "b" * 32, "version": "20260102"})
    assert newest_model(store).key == "b" * 32
    for name in (None, "20260102", uri):
        assert (local_model(store, name, tmp_path / "work") / "model.safetensors").is_file()
    assert local_model(store, str(tiny), tmp_path / "work") == tiny
    with pytest.raises(UserError, match="docs-mlm models"):
        local_model(store, "20250101", tmp_path / "work")


@pytest.fixture
def two(tiny, tmp_path):
    """A store with an older and a newer model, and a pointer to the newer."""
    store = Store(str(tmp_path / "store"))
    for key, version in (("a" * 32, "20260101"), ("b" * 32, "20260102")):
        publish(store, tiny, key, version)
    store.write_json(store.uri("models", "latest.json"), {"key": "b" * 32, "version": "20260102"})
    return store


def flip(path) -> None:
    """Change one bit in the middle of a file, as an ill disk does."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def lose(folder) -> None:
    """Delete the folder."""
    shutil.rmtree(folder)


def cut(folder) -> None:
    """Shorten one file."""
    (folder / "config.json").write_bytes(b"{")


def spoil(folder) -> None:
    """Make the manifest unreadable."""
    (folder / "manifest.json").write_bytes(b"{")


@pytest.mark.parametrize("harm", [lose, cut, spoil])
def test_the_newest_whole_model_is_taken(two, tmp_path, caplog, harm):
    """Where the pointer's model is gone or damaged the one before is used, and a warning says so."""
    harm(tmp_path / "store" / "models" / ("b" * 32))
    with caplog.at_level(logging.WARNING, "docs_mlm"):
        assert newest_model(two).key == "a" * 32
    assert "latest.json names" in caplog.text
    assert "20260101" in caplog.text
    folder = local_model(two, None, tmp_path / "work")
    assert (folder.name, (folder / "model.safetensors").is_file()) == ("a" * 32, True)
    uris = [two.uri("models", "a" * 32), *([two.uri("models", "b" * 32)] if harm is not lose else [])]
    assert to_verify(two) == uris


def test_a_flipped_bit_is_not_predicted_with(two, tmp_path, caplog):
    """A newest model of the right size and other bytes is passed over too; if all are so, that is told."""
    flip(tmp_path / "store" / "models" / ("b" * 32) / "model.safetensors")
    with caplog.at_level(logging.WARNING, "docs_mlm"):
        assert local_model(two, None, tmp_path / "work").name == "a" * 32
    assert "20260102 is damaged" in caplog.text
    flip(tmp_path / "store" / "models" / ("a" * 32) / "model.safetensors")
    with pytest.raises(IntegrityError, match=r"b{32}/model\.safetensors differs"):
        local_model(two, None, tmp_path / "new")


def test_a_pointer_that_cannot_be_read(two, tmp_path):
    """A torn `latest.json` hides no model."""
    (tmp_path / "store" / "models" / "latest.json").write_bytes(b"{")
    assert newest_model(two).key == "b" * 32
    assert to_verify(two) == [two.uri("models", "b" * 32)]


def test_nothing_whole_is_nothing_published(two, tmp_path):
    """Without a whole model there is none to predict with, and the damaged one can still be verified."""
    for key in ("a" * 32, "b" * 32):
        cut(tmp_path / "store" / "models" / key)
    assert newest_model(two) is None
    assert to_verify(two) == [two.uri("models", "b" * 32)]
    with pytest.raises(UserError, match="no model is published"):
        local_model(two, None, tmp_path / "work")


def test_a_pointer_to_nothing_is_moved(two, tmp_path):
    """The next run mends a pointer whose model is gone: to the newest that is there."""
    old = PublishedModel(uri=two.uri("models", "a" * 32), key="a" * 32, version="20260101")
    assert not move_latest(two, old)
    lose(tmp_path / "store" / "models" / ("b" * 32))
    publish(two, tmp_path / "store" / "models" / ("a" * 32), "c" * 32, "20260103")
    two.write_json(two.uri("models", "latest.json"), {"key": "b" * 32, "version": "20260104"})
    assert move_latest(two, old)
    assert two.read_json(two.uri("models", "latest.json"))["key"] == "c" * 32
    lose(tmp_path / "store" / "models" / ("c" * 32))
    assert move_latest(two, old)
    assert two.read_json(two.uri("models", "latest.json"))["key"] == "a" * 32


def test_a_stored_folder_by_its_path_is_hashed(two, tiny, tmp_path):
    """A model named by its path in the store, or a copy's, is held to its manifest; so is a training's."""
    stored = tmp_path / "store" / "models" / ("b" * 32)
    copy = shutil.copytree(stored, tmp_path / "copy")
    (tmp_path / "link").symlink_to(stored)
    for folder in (stored, copy, tmp_path / "link"):
        assert local_model(two, str(folder), tmp_path / "work") == folder
    for folder in (stored, copy):
        flip(folder / "model.safetensors")
        with pytest.raises(IntegrityError, match=r"model\.safetensors differs from its manifest"):
            local_model(two, str(folder), tmp_path / "work")
    with pytest.raises(IntegrityError, match="differs"):
        local_model(two, str(tmp_path / "link"), tmp_path / "work")
    (copy / "manifest.json").unlink()
    assert local_model(two, str(copy), tmp_path / "work") == copy, "its owner has said that it is another now"
    spoil(stored)
    with pytest.raises(IntegrityError, match="cannot be read"):
        local_model(two, str(stored), tmp_path / "work")
    (stored / "manifest.json").unlink()
    with pytest.raises(IntegrityError, match="not whole"):
        local_model(two, str(stored), tmp_path / "work")


def test_a_model_within_a_stored_folder_is_hashed(two, tiny, tmp_path):
    """A training's model, a folder of its result, is held to that result's manifest."""
    shutil.copytree(tiny, tmp_path / "made" / "model")
    (tmp_path / "made" / "other.json").write_text("{}")
    uri = two.uri("training", "c" * 32)
    two.commit(tmp_path / "made", uri, Manifest(stage="training", key="c" * 32, record={}))
    model = tmp_path / "store" / "training" / ("c" * 32) / "model"
    (model.parent / "other.json").write_text("[]")
    assert local_model(two, str(model), tmp_path / "work") == model
    flip(model / "model.safetensors")
    with pytest.raises(IntegrityError, match="differs"):
        local_model(two, str(model), tmp_path / "work")


def test_another_programs_manifest_says_nothing(tiny, tmp_path):
    """A `manifest.json` that is not the store's is no reason to refuse a folder."""
    mine = shutil.copytree(tiny, tmp_path / "models" / "mine")
    for text in (json.dumps({"name": "an app"}), "{", "[]"):
        (mine / "manifest.json").write_text(text)
        assert local_model(Store(str(tmp_path / "store")), str(mine), tmp_path / "work") == mine


def test_the_kept_copy_is_the_models_bytes(two, tmp_path):
    """A copy in the work folder that was altered, or to which a file was added, is fetched anew."""
    folder = local_model(two, None, tmp_path / "work")
    whole = {path.name: path.read_bytes() for path in folder.iterdir()}
    flip(folder / "model.safetensors")
    (folder / "adapter_config.json").write_text("{}")
    assert local_model(two, "20260102", tmp_path / "work") == folder
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == whole
    (folder / "adapter_config.json").write_text("{}")
    assert local_model(two, two.uri("models", "b" * 32), tmp_path / "work") == folder
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == whole
