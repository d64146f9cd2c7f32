"""Published models are found and listed."""

import pytest

from tasks.errors import UserError
from tasks.models.published import list_versions, local_model, newest_model
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
