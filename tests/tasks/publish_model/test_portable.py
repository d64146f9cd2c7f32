"""What is published loads with transformers 4 too, wherever its tokenizer came from."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoTokenizer, BertTokenizer, PreTrainedTokenizerFast, RobertaTokenizer

from tasks.publish_model.portable import make_portable
from tests.tiny import tiny_tokenizer

TEXT = "The quick brown fox [MASK] over <api> kubectl."


def plain() -> Any:
    """A tokenizer of no family, as ModernBERT's is."""
    vocabulary = {"[UNK]": 0, "[PAD]": 1, "[MASK]": 2, "fox": 3}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, unk_token="[UNK]", pad_token="[PAD]", mask_token="[MASK]"
    )


def roberta() -> Any:
    """A byte-level one."""
    letters = {letter: number for number, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    special = {name: len(letters) + i for i, name in enumerate(["<s>", "<pad>", "</s>", "<unk>", "<mask>"])}
    return RobertaTokenizer(vocab=letters | special, merges=[])


def bert_with_more_tokens() -> Any:
    """A BERT's, with a word and a special token of its own."""
    tokenizer = BertTokenizer(vocab=tiny_tokenizer().get_vocab(), model_max_length=64)
    tokenizer.add_tokens(["kubectl"])
    tokenizer.add_special_tokens({"extra_special_tokens": ["<api>"]})
    return tokenizer


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (tiny_tokenizer, "BertTokenizer"),
        (bert_with_more_tokens, "BertTokenizer"),
        (roberta, "RobertaTokenizer"),
        (plain, "PreTrainedTokenizerFast"),
    ],
)
def test_the_file_says_nothing_that_transformers_4_does_not_know(
    make: Callable[[], Any], named: str, tmp_path: Path
) -> None:
    """Saved, loaded from its folder, saved and published, twice over: and 5 reads the same tokens."""
    make().save_pretrained(tmp_path / "0")
    for number in (1, 2):
        before = AutoTokenizer.from_pretrained(tmp_path / str(number - 1))
        before.save_pretrained(tmp_path / str(number))
        make_portable(tmp_path / str(number))
        config = json.loads((tmp_path / str(number) / "tokenizer_config.json").read_text("utf-8"))
        assert config["tokenizer_class"] == named
        assert not {"is_local", "local_files_only", "backend"}.intersection(config)
        assert not isinstance(config.get("extra_special_tokens", {}), list)
        after = AutoTokenizer.from_pretrained(tmp_path / str(number))
        assert type(after) is type(before)
        assert after(TEXT) == before(TEXT)
        assert after.get_vocab() == before.get_vocab()
        assert after.all_special_tokens == before.all_special_tokens
        assert after.model_max_length == before.model_max_length


def test_what_it_does_not_know_stays(tmp_path: Path) -> None:
    """Any other value is published as it is, and a model without a tokenizer stays without one."""
    make_portable(tmp_path)
    assert list(tmp_path.iterdir()) == []
    odd = {"tokenizer_class": "OddTokenizer", "extra_special_tokens": {"image": "<i>"}, "mark": "ü"}
    path = tmp_path / "tokenizer_config.json"
    path.write_text(json.dumps(odd), encoding="utf-8")
    make_portable(tmp_path)
    assert json.loads(path.read_text("utf-8")) == odd
