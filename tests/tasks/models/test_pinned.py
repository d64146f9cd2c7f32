"""A base model is pinned to one content, and one that cannot be trained is refused by name."""

import hashlib
import json
import shutil

import pytest

from tasks.errors import NetworkError, UserError
from tasks.models.checks import check_base_model, check_window
from tasks.models.pinned import PinnedModel, local_files, resolve_model
from tasks.models.settings import ModelSettings, ScratchSettings
from tasks.store.folders import Store
from tasks.store.manifest import Manifest
from tests.tasks.settings.hub import NAME, hub
from tests.tiny import save_tiny_bert


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A folder with a tiny BERT."""
    return save_tiny_bert(tmp_path_factory.mktemp("models") / "tiny-bert")


def named(name) -> ModelSettings:
    """The settings that name a checkpoint."""
    return ModelSettings(name_or_path=str(name))


def test_a_folder_is_pinned_by_its_contents(tiny, tmp_path):
    """A copy elsewhere has the same fingerprints, and other weights have another."""
    copy = save_tiny_bert(tmp_path / "copy")
    first, second = resolve_model(named(tiny)), resolve_model(named(copy))
    assert (first.fingerprint, first.tokenizer_fingerprint) == (
        second.fingerprint,
        second.tokenizer_fingerprint,
    )
    weights = copy / "model.safetensors"
    changed = bytearray(weights.read_bytes())
    changed[-1] ^= 1
    weights.write_bytes(changed)
    third = resolve_model(named(copy))
    assert third.fingerprint != first.fingerprint
    assert third.tokenizer_fingerprint == first.tokenizer_fingerprint


SENTENCEPIECE = [
    "spiece.model",
    "spm.model",
    "sentencepiece.bpe.model",
    "sentencepiece.model",
    "tokenizer.model",
    "source.spm",
]


@pytest.mark.parametrize("name", SENTENCEPIECE)
def test_what_sentencepiece_reads_is_part_of_the_tokenizer(name, tmp_path):
    """Other pieces are another tokenizer, in a folder and in a store; the model stays the same."""
    folder, store = save_tiny_bert(tmp_path / "pieces"), Store(str(tmp_path / "store"))
    found = []
    for number, content in enumerate((b"one", b"two")):
        (folder / name).write_bytes(content)
        uri = store.uri("models", str(number) * 32)
        store.commit(folder, uri, Manifest(stage="models", key=str(number) * 32, record={}))
        found.append([resolve_model(named(place)) for place in (folder, uri)])
    for first, second in zip(*found, strict=True):
        assert first.tokenizer_fingerprint != second.tokenizer_fingerprint
        assert first.fingerprint == second.fingerprint


def test_a_tokenizer_without_such_files_has_the_key_that_it_had(tiny, tmp_path):
    """It is made of the digests of the same files by name, whatever else lies beside them."""
    for name in ("README.md", "notes.model", "spiece.model.bak", "training_args.bin"):
        (tmp_path / name).write_text("else")
    shutil.copytree(tiny, tmp_path, dirs_exist_ok=True)
    digests = {
        name: hashlib.sha256((tiny / name).read_bytes()).hexdigest()
        for name in ("tokenizer.json", "tokenizer_config.json")
    }
    key = hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest()
    assert resolve_model(named(tmp_path)).tokenizer_fingerprint == key


def test_the_hub_delivers_what_sentencepiece_reads(tmp_path):
    """With the tokenizer's other files, and without the weights until they are needed."""
    folder = save_tiny_bert(tmp_path / "pieces")
    for name in (*SENTENCEPIECE, "notes.model"):
        (folder / name).write_bytes(b"pieces")
    with hub({"main": folder}, tmp_path / "cache"):
        files = local_files(resolve_model(named(NAME)), tmp_path, weights=False)
    there = {path.name for path in files.iterdir()}
    assert there == {*SENTENCEPIECE, "config.json", "tokenizer.json", "tokenizer_config.json"}


def test_a_usable_folder_passes(tiny, tmp_path):
    """A BERT with tokenizer and head is accepted, and its files are used where they lie."""
    base = resolve_model(named(tiny))
    check_base_model(base, tmp_path)
    check_window(64, base)
    assert local_files(base, tmp_path, weights=True) == tiny


def test_roberta_cannot_use_all_its_positions(tmp_path):
    """RoBERTa's 514 positions take windows of 512 tokens."""
    config = {"model_type": "roberta", "max_position_embeddings": 514, "pad_token_id": 1}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    assert resolve_model(named(tmp_path)).max_positions == 512


def test_pickled_weights_are_refused(tmp_path):
    """A folder with only pickled weights is refused before anything in it is loaded."""
    save_tiny_bert(tmp_path, safe=False)
    with pytest.raises(UserError, match=r"only pickled weights \(pytorch_model.bin\), which are not loaded"):
        resolve_model(named(tmp_path))


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
def test_a_file_that_is_no_json_is_named(tmp_path, name):
    """A broken file in a model's folder is the user's to mend."""
    folder = save_tiny_bert(tmp_path / "broken")
    for content in ("{", "[]"):
        (folder / name).write_text(content)
        with pytest.raises(UserError, match=rf"^{name} of broken is not"):
            resolve_model(named(folder))


@pytest.mark.parametrize("name", ["/no/such/folder", "./nope", "a/b/c"])
def test_a_missing_folder_is_a_users_mistake(name):
    """A path that is no folder is not looked up on the hub."""
    with pytest.raises(UserError, match="no folder here"):
        resolve_model(named(name))


def test_an_unreachable_hub_is_a_network_fault(monkeypatch, tmp_path):
    """Without the hub and its cache, the message names the model and the way out."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(NetworkError, match=r"'google-bert/bert-base-uncased'.*local folder"):
        resolve_model(ModelSettings())


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:9", "http://127.0.0.1:no", "127.0.0.1:9"])
def test_a_hub_that_refuses_is_a_network_fault(endpoint, monkeypatch, tmp_path):
    """What the HTTP client raises of a port that is closed, or an address that is none, is known."""
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", endpoint)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(NetworkError, match=r"'google-bert/bert-base-uncased'.*local folder"):
        resolve_model(ModelSettings())
    pinned = PinnedModel(
        name="absent", fingerprint="", tokenizer_fingerprint="", location="me/absent", revision="1" * 40,
        max_positions=64,
    )  # fmt: skip
    with pytest.raises(NetworkError, match="does not deliver me/absent"):
        local_files(pinned, tmp_path, weights=False)


def test_a_model_in_the_store_is_pinned_by_its_manifest(tiny, tmp_path):
    """A published model can be the base of the next run, and is fetched verified."""
    store = Store(str(tmp_path / "store"))
    uri = store.uri("models", "0" * 32)
    store.commit(tiny, uri, Manifest(stage="models", key="0" * 32, record={}))
    base = resolve_model(named(uri))
    assert base.max_positions == 64
    assert (local_files(base, tmp_path / "work", weights=True) / "model.safetensors").is_file()
    with pytest.raises(UserError, match="no complete model"):
        resolve_model(named(store.uri("models", "1" * 32)))


def test_a_model_from_scratch_is_pinned_by_its_sizes():
    """Other sizes are another model, and only vocabulary settings change the tokenizer."""
    first = resolve_model(ModelSettings(from_scratch=ScratchSettings()))
    second = resolve_model(ModelSettings(from_scratch=ScratchSettings(num_hidden_layers=2)))
    assert first.fingerprint != second.fingerprint
    assert first.tokenizer_fingerprint == second.tokenizer_fingerprint


def test_a_revision_of_what_has_none_is_refused(tiny, tmp_path):
    """A folder and a store's model are what they are: a revision of them would be left unread."""
    for name in (tiny, Store(str(tmp_path)).uri("models", "0" * 32)):
        with pytest.raises(UserError, match=r"^model.revision is 'v2', but .* leave model.revision out$"):
            resolve_model(ModelSettings(name_or_path=str(name), revision="v2"))
