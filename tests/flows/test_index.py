"""The flow `index` makes what `docs-mlm search` reads, once."""

import pytest

from tasks.errors import UserError
from tasks.records import SearchIndex
from tasks.store.folders import Store
from tests.tasks.index_documents.published import publish


def test_the_newest_model_is_indexed_once(prefect_server, tmp_path):
    """A second run, of the same model by its version, reuses what is stored."""
    from flows.index import index

    store = Store(str(tmp_path / "store"))
    model = publish(store)
    made = index(store=store.url, work_dir=tmp_path / "work")
    assert isinstance(made, SearchIndex)
    assert store.manifest(made.uri) is not None
    version = model.record["version"]
    state = index(version, store=store.url, work_dir=tmp_path / "other", return_state=True)
    assert state.result() == made
    assert not (tmp_path / "other").exists()


def test_an_empty_store_ends_the_run_with_a_word(prefect_server, tmp_path):
    """Which says how to get a model."""
    from flows.index import index

    with pytest.raises(UserError, match="no model is published"):
        index(store=str(tmp_path / "store"), work_dir=tmp_path / "work")
