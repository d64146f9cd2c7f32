"""A model that cannot do what is asked of it is refused by name, before anything runs."""

import json

import pytest

from tasks.errors import UserError
from tasks.models.checks import check_base_model, check_pairs, check_window, read_config
from tasks.models.pinned import resolve_model
from tasks.models.settings import ModelSettings
from tests.tiny import plant_code, save_tiny_bert


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A folder with a tiny BERT."""
    return save_tiny_bert(tmp_path_factory.mktemp("models") / "tiny-bert")


def named(name) -> ModelSettings:
    """The settings that name a checkpoint."""
    return ModelSettings(name_or_path=str(name))


def test_a_window_beyond_the_positions_names_the_limit(tiny):
    """A window of 65 tokens does not fit 64 positions, and the message says what does."""
    with pytest.raises(UserError, match=r"max_seq_length is 65, but tiny-bert has 64 positions: choose 64"):
        check_window(65, resolve_model(named(tiny)))


def test_a_model_without_an_mlm_head_is_refused(tiny, tmp_path):
    """GPT-2 has no MLM head."""
    config = {"model_type": "gpt2", "vocab_size": 300, "n_positions": 64}
    copy = save_tiny_bert(tmp_path / "gpt")
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match=r"type 'gpt2', which has no MLM head"):
        check_base_model(resolve_model(named(copy)), tmp_path)


def test_pairs_need_a_bert(tiny, tmp_path):
    """For the second objective a model that is no BERT is refused before anything runs; a BERT is not."""
    check_base_model(resolve_model(named(tiny)), tmp_path, "mlm+nsp")
    copy = save_tiny_bert(tmp_path / "roberta")
    config = json.loads((copy / "config.json").read_text()) | {"model_type": "roberta"}
    (copy / "config.json").write_text(json.dumps(config))
    check_base_model(resolve_model(named(copy)), tmp_path)
    with pytest.raises(UserError, match=r"type 'roberta', which has no head for pairs.*objective mlm"):
        check_base_model(resolve_model(named(copy)), tmp_path, "mlm+sop")


def test_a_tokenizer_without_a_mask_token_is_refused(tmp_path):
    """Without a mask token there is nothing to fill."""
    from transformers import PreTrainedTokenizerFast

    folder = save_tiny_bert(tmp_path / "maskless")
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"), unk_token="[UNK]", pad_token="[PAD]"
    )
    for name in ("tokenizer_config.json", "tokenizer.json"):
        (folder / name).unlink()
    tokenizer.save_pretrained(folder)
    with pytest.raises(UserError, match="maskless has no mask token"):
        check_base_model(resolve_model(named(folder)), tmp_path)


def test_a_tokenizer_without_a_padding_token_is_refused(tmp_path):
    """Without one, windows of different lengths cannot stand below each other."""
    folder = save_tiny_bert(tmp_path / "padless")
    config = json.loads((folder / "tokenizer_config.json").read_text()) | {"pad_token": None}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match=r"padless has no padding token: set tokenizer.pad_token"):
        check_base_model(resolve_model(named(folder)), tmp_path)


def test_code_of_the_models_own_is_not_run(tmp_path):
    """A folder that brings its own code is refused, and its code does not run."""
    folder = save_tiny_bert(tmp_path / "own-code")
    trace = tmp_path / "ran"
    (folder / "configuration_evil.py").write_text(f"open({str(trace)!r}, 'w').close()\nclass C: pass\n")
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "evil", "auto_map": {"AutoConfig": "configuration_evil.C"}}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match="does not load without code of its own"):
        check_base_model(resolve_model(named(folder)), tmp_path)
    assert not trace.exists()


def test_code_beside_a_known_model_is_left_alone(tmp_path):
    """A BERT that brings code of its own is taken for the BERT that it is, and its code does not run."""
    folder = plant_code(save_tiny_bert(tmp_path / "own-code"), tmp_path / "ran")
    check_base_model(resolve_model(named(folder)), tmp_path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["max_position_embeddings", "vocab_size", "type_vocab_size", "pad_token_id"])
def test_a_value_that_is_null_is_told_in_one_line(tmp_path, name):
    """A null in config.json has a default or is refused by name; nothing falls over it."""
    folder = save_tiny_bert(tmp_path / "holey")
    config = json.loads((folder / "config.json").read_text()) | {name: None}
    (folder / "config.json").write_text(json.dumps(config))
    base = resolve_model(named(folder))
    if name == "pad_token_id":
        check_base_model(base, tmp_path)
        return
    with pytest.raises(UserError, match=rf"^config.json of holey has a value .*{name}.*save_pretrained$"):
        check_base_model(base, tmp_path)


def test_a_tokenizer_without_a_limit_has_the_models(tmp_path):
    """A null in tokenizer_config.json leaves the model's positions."""
    folder = save_tiny_bert(tmp_path / "holey")
    config = json.loads((folder / "tokenizer_config.json").read_text()) | {"model_max_length": None}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    base = resolve_model(named(folder))
    check_base_model(base, tmp_path)
    assert base.max_positions == 64


def test_pairs_need_two_types_of_segment(tiny, tmp_path):
    """A BERT that knows one type of segment cannot tell the first text from the second."""
    config = json.loads((tiny / "config.json").read_text()) | {"type_vocab_size": 1}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match=r"one-legged knows 1 type of segment, and pairs have 2"):
        check_pairs(read_config(tmp_path, "one-legged"), "one-legged")
