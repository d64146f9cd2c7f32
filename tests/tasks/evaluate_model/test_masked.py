"""Masked windows are the same each time, and the figures are those of the plain way."""

import numpy as np
import pytest
import torch
from transformers import AutoModelForMaskedLM, AutoTokenizer

from tasks.errors import UserError
from tasks.evaluate_model import masked as module
from tasks.evaluate_model.masked import cut_windows, load_tokenizer, mask_some, predict
from tasks.evaluate_model.sampling import Document
from tests.tasks.evaluate_model.making import models
from tests.tasks.retrieval.models import some_texts

DOCUMENTS = [Document(f"page-{number}", text) for number, text in enumerate(some_texts(30))]


@pytest.fixture(scope="module")
def tokenizer():
    """Of the model after."""
    return load_tokenizer(models()[1])


def test_windows_hold_the_whole_document(tokenizer):
    """Nothing is dropped, no window is too long, and offsets tell where a token stands."""
    windows = cut_windows(DOCUMENTS, tokenizer, 16)
    assert max(len(window.ids) for window in windows) == 16
    for document in DOCUMENTS:
        own = [window for window in windows if window.document == document.path]
        tokens = np.concatenate([window.ids[window.ordinary] for window in own]).tolist()
        assert tokens == tokenizer(document.text, add_special_tokens=False)["input_ids"]
    window = windows[0]
    for place in np.flatnonzero(window.ordinary):
        start, end = window.offsets[place]
        word = tokenizer.convert_ids_to_tokens(int(window.ids[place])).removeprefix("##")
        assert DOCUMENTS[0].text[start:end].lower() == word


def test_a_written_mask_is_text(tokenizer):
    """A document that writes of [MASK] shows the model none."""
    (window,) = cut_windows([Document("a", "run [MASK] the agent")], tokenizer, 32)
    assert tokenizer.mask_token_id not in window.ids


def test_about_fifteen_of_a_hundred_tokens_are_chosen(tokenizer):
    """No special token is; most become [MASK], and the same ones each time."""
    windows = cut_windows(DOCUMENTS, tokenizer, 64)
    chosen = [mask_some(window, tokenizer) for window in windows]
    for window, one in zip(windows, chosen, strict=True):
        assert window.ordinary[one.places].all()
        changed = np.flatnonzero(one.seen != window.ids)
        assert set(changed.tolist()) <= set(one.places.tolist())
        assert np.array_equal(mask_some(window, tokenizer).seen, one.seen)
        assert abs(len(one.places) - 0.15 * window.ordinary.sum()) <= 1
    seen = np.concatenate([one.seen[one.places] for one in chosen])
    assert 0.65 < (seen == tokenizer.mask_token_id).mean() < 0.95


@pytest.mark.parametrize(("tokens", "works"), [(1, True), (100, True), (4096, True), (100, False)])
def test_figures_are_those_of_one_window_at_a_time(tokenizer, monkeypatch, tokens, works):
    """However windows are put together and padded, each masked token has its own loss, in their order.

    So it is whether the head computes the masked rows alone or all.
    """
    heads = []
    make = module._SparseHead.__init__
    monkeypatch.setattr(
        module._SparseHead, "__init__", lambda self, model: heads.append(self) or make(self, model)
    )
    if not works:
        monkeypatch.setattr(module, "TOLERANCE", -1)
    monkeypatch.setattr(module, "TOKENS", tokens)
    folder = models()[1]
    windows = [mask_some(window, tokenizer) for window in cut_windows(DOCUMENTS, tokenizer, 24)]
    told: list[int] = []
    losses, hits = predict(folder, windows, tokenizer.pad_token_id, told.append)
    model = AutoModelForMaskedLM.from_pretrained(folder).eval()
    wanted, right = [], []
    for one in windows:
        with torch.no_grad():
            logits = model(input_ids=torch.from_numpy(one.seen)[None]).logits[0]
        for place in one.places:
            wanted.append(-float(logits[place].log_softmax(-1)[one.window.ids[place]]))
            right.append(float(logits[place].argmax() == one.window.ids[place]))
    np.testing.assert_allclose(losses, wanted, atol=1e-4)
    assert hits.tolist() == right
    assert told[-1] == len(windows)
    assert [head.works for head in heads] == [works]


def test_a_broken_model_is_told(tmp_path):
    """A folder without weights is the user's to mend."""
    AutoTokenizer.from_pretrained(models()[0]).save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text((models()[0] / "config.json").read_text())
    with pytest.raises(UserError, match="safetensors"):
        predict(tmp_path, [], 0)
