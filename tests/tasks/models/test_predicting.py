"""Models are asked for masked words, and whether one text follows another."""

import json
import logging

import pytest
import torch
from transformers import BertForPreTraining, BertModel, RobertaConfig, RobertaForMaskedLM

from tasks.errors import UserError
from tasks.models.predicting import fill_masks, follows
from tasks.models.published import local_model
from tasks.store.folders import Store
from tests.tiny import plant_code, save_tiny_bert, tiny_tokenizer


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A folder with a tiny BERT."""
    return save_tiny_bert(tmp_path_factory.mktemp("tiny"))


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


def test_a_robertas_last_positions_are_not_promised(tmp_path):
    """Two of its positions cannot be used, and a text that needs them is refused, not fallen over."""
    config = RobertaConfig(
        vocab_size=len(tiny_tokenizer()),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=34,
        pad_token_id=1,
    )
    RobertaForMaskedLM(config).save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    assert fill_masks(tmp_path, "[MASK] " * 30, top_k=1)
    with pytest.raises(UserError, match="the text has 33 tokens, but the model takes 32"):
        fill_masks(tmp_path, "[MASK] " * 31, top_k=1)
