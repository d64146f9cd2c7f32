"""Published models are found, listed and asked."""

import json
import logging

import pytest
import torch
from transformers import BertForPreTraining, BertModel

from tasks.errors import UserError
from tasks.models.predicting import fill_masks, follows
from tasks.models.published import list_versions, local_model, newest_model
from tasks.store.folders import Store
from tasks.store.manifest import Manifest
from tests.tiny import plant_code, save_tiny_bert, tiny_tokenizer


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


def test_each_mask_gets_its_likeliest_tokens(tiny):
    """Probabilities fall, and there are as many as were asked for."""
    masks = fill_masks(tiny, "The [MASK] fox [MASK] over.", top_k=4)
    assert [len(mask) for mask in masks] == [4, 4]
    assert all(mask == sorted(mask, key=lambda guess: -guess[1]) for mask in masks)


def test_neither_code_nor_pickles_of_a_folder_are_loaded(tmp_path):
    """A model folder's own code does not run, and one with pickled weights alone is refused."""
    folder = plant_code(save_tiny_bert(tmp_path / "own-code"), tmp_path / "ran")
    assert fill_masks(folder, "The [MASK] fox.", top_k=1)
    pairs = tmp_path / "pairs"
    BertForPreTraining.from_pretrained(folder, trust_remote_code=False).save_pretrained(pairs)
    tiny_tokenizer().save_pretrained(pairs)
    assert 0 <= follows(plant_code(pairs, tmp_path / "ran"), "Run the command.", "Then restart.") <= 1
    assert not (tmp_path / "ran").exists()
    pickled = save_tiny_bert(tmp_path / "pickled", safe=False)
    with pytest.raises(UserError, match="pickled weights are not loaded"):
        local_model(Store(str(tmp_path / "store")), str(pickled), tmp_path / "work")
    with pytest.raises(UserError, match="pickled weights are not loaded"):
        fill_masks(pickled, "The [MASK] fox.", top_k=1)


def test_a_text_without_a_mask_or_too_long_is_refused(tiny):
    """The message says what is missing, or how many tokens the model takes."""
    with pytest.raises(UserError, match=r"has no \[MASK\]"):
        fill_masks(tiny, "The fox.", top_k=1)
    with pytest.raises(UserError, match="takes 64"):
        fill_masks(tiny, "fox " * 100 + "[MASK]", top_k=1)


def test_a_model_of_pairs_says_whether_a_text_follows(tmp_path, tiny):
    """With the head a probability comes out, and the label 0 means that it follows; without, what to do."""
    model = BertForPreTraining.from_pretrained(tiny)
    torch.nn.init.zeros_(model.cls.seq_relationship.weight)
    model.cls.seq_relationship.bias.data = torch.tensor([2.0, 0.0])
    model.save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    assert follows(tmp_path, "Run the command.", "Then restart.") == pytest.approx(1 / (1 + 2.718281828**-2))
    with pytest.raises(UserError, match="no head that says whether"):
        follows(tiny, "Run the command.", "Then restart.")
    with pytest.raises(UserError, match=r"have 1\d\d tokens, but the model takes 64"):
        follows(tmp_path, "fox " * 60, "dog " * 60)


def test_a_head_without_weights_is_no_head(tiny, tmp_path):
    """An encoder alone fills no mask, and a head that is only named answers nothing: both would be random."""
    BertModel.from_pretrained(tiny).save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    with pytest.raises(UserError, match="docs-mlm run --model"):
        fill_masks(tmp_path, "The [MASK] fox.", top_k=1)
    config = json.loads((tmp_path / "config.json").read_text()) | {"architectures": ["BertForPreTraining"]}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match="no head that says whether"):
        follows(tmp_path, "Run the command.", "Then restart.")


def test_a_prediction_is_not_hidden_in_reports(tiny, tmp_path, caplog):
    """A model with both heads is asked for one of them, and transformers does not report the other."""
    BertForPreTraining.from_pretrained(tiny).save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    library = logging.getLogger("transformers")
    library.addHandler(caplog.handler)
    caplog.clear()
    try:
        fill_masks(tmp_path, "The [MASK] fox.", top_k=1)
        follows(tmp_path, "Run the command.", "Then restart.")
    finally:
        library.removeHandler(caplog.handler)
    assert "REPORT" not in caplog.text
