"""A plan knows how many tokens a tokenizer gives, as transformers will."""

import json
import subprocess
import sys

import pytest
from tokenizers import Tokenizer, models
from transformers import AutoTokenizer, BertForMaskedLM, BertTokenizer, PreTrainedTokenizerFast

from tasks.errors import UserError
from tasks.models.checks import check_base_model
from tasks.models.pinned import resolve_model
from tasks.models.settings import ModelSettings
from tasks.models.vocabulary import check_tokens, known_tokens
from tests.tiny import save_tiny_bert, tiny_tokenizer

SPECIAL = ["[UNK]", "[PAD]", "[MASK]"]


def grown(folder, count=2):
    """The tiny tokenizer with some tokens more."""
    tokenizer = BertTokenizer(vocab=tiny_tokenizer().get_vocab(), model_max_length=64)
    tokenizer.add_tokens([f"kubectl{number}" for number in range(count)])
    tokenizer.save_pretrained(folder)
    return tokenizer


def changed(path, **changes):
    """Put other values into a file's JSON object."""
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    "model",
    [
        models.WordLevel(dict(zip(SPECIAL, range(3), strict=True)) | {"a": 3}, unk_token="[UNK]"),
        models.Unigram([(token, -1.0) for token in [*SPECIAL, "a"]], unk_id=0),
        models.BPE({"a": 0, "b": 1, "ab": 2}, [("a", "b")]),
    ],
    ids=["a mapping", "a list", "without special tokens"],
)
def test_the_tokens_are_those_that_transformers_finds(model, tmp_path):
    """For every kind of vocabulary, and however tokens are added to it."""
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(model), unk_token="[UNK]", pad_token="[PAD]", mask_token="[MASK]"
    )
    tokenizer.add_tokens(["new"])
    tokenizer.save_pretrained(tmp_path)
    assert known_tokens(tmp_path) == len(AutoTokenizer.from_pretrained(tmp_path))
    changed(tmp_path / "tokenizer_config.json", sep_token="[SEP]", extra_special_tokens=["new", "<one>"])
    assert known_tokens(tmp_path) == len(AutoTokenizer.from_pretrained(tmp_path)) == len(tokenizer) + 2


def test_what_earlier_versions_wrote_counts(tmp_path):
    """`vocab.txt`, and tokens that were added in files of their own."""
    folder = save_tiny_bert(tmp_path)
    words = sorted(tiny_tokenizer().get_vocab().items(), key=lambda one: one[1])
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.txt").write_text("\n".join(word for word, _ in words) + "\n", encoding="utf-8")
    assert known_tokens(folder) == len(words)
    (folder / "added_tokens.json").write_text(json.dumps({"new": len(words)}))
    assert known_tokens(folder) == len(words) + 1
    changed(
        folder / "tokenizer_config.json",
        added_tokens_decoder={
            "4": {"content": "[MASK]"},
            str(len(words)): {"content": "new"},
            str(len(words) + 1): {"content": "newer"},
        },
    )
    assert known_tokens(folder) == len(words) + 2


@pytest.mark.parametrize(
    "content", ["", "[]", "{", '{"model": null, "added_tokens": 3}', '{"model": {"vocab": 7}}']
)
def test_files_that_tell_nothing_refuse_nothing(content, tmp_path):
    """Whoever loads them says what is wrong with them."""
    assert known_tokens(tmp_path) == 0
    (tmp_path / "tokenizer.json").write_text(content)
    assert known_tokens(tmp_path) == 0


def test_added_tokens_without_embeddings_are_refused_by_the_plan(tmp_path):
    """With the right remedy, which then is one; and the plan needs no torch for it."""
    folder = save_tiny_bert(tmp_path / "grown")
    tokenizer = grown(folder)
    with pytest.raises(UserError, match=r"resize_token_embeddings\(len\(tokenizer\)\)") as caught:
        resolve_model(ModelSettings(name_or_path=str(folder)))
    count = len(tiny_tokenizer())
    assert str(caught.value).startswith(
        f"the tokenizer knows {count + 2} tokens, but grown has embeddings for {count}: call"
    )
    code = (
        "import sys; from tasks.models.pinned import resolve_model as r\n"
        "from tasks.models.settings import ModelSettings as S\n"
        f"try: r(S(name_or_path={str(folder)!r}))\n"
        "except Exception as error: print(type(error).__name__, 'torch' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "UserError False"
    model = BertForMaskedLM.from_pretrained(folder)
    model.resize_token_embeddings(len(tokenizer))
    model.save_pretrained(folder)
    check_base_model(resolve_model(ModelSettings(name_or_path=str(folder))), tmp_path)


def test_tokens_that_only_a_class_knows_are_refused_before_the_run(tmp_path):
    """Some families add tokens of their own on loading, as CamemBERT does: the loaded tokenizer is asked."""
    folder = save_tiny_bert(tmp_path / "camembert")
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", "a"]
    model = models.Unigram([(piece, -1.0) for piece in pieces], unk_id=3)
    PreTrainedTokenizerFast(tokenizer_object=Tokenizer(model)).save_pretrained(folder)
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "CamembertTokenizer"}')
    changed(folder / "config.json", model_type="camembert", vocab_size=len(pieces))
    base = resolve_model(ModelSettings(name_or_path=str(folder)))
    with pytest.raises(UserError, match="tokens, but camembert has embeddings for"):
        check_base_model(base, tmp_path)


def test_embeddings_are_counted_where_they_are_told():
    """In the configuration, or in that of its text part; where neither tells, nothing is refused."""
    for config in ({"vocab_size": 9}, {"text_config": {"vocab_size": 9}}):
        check_tokens(9, config, "a")
        with pytest.raises(UserError, match="knows 10 tokens, but a has embeddings for 9"):
            check_tokens(10, config, "a")
    for config in ({}, {"vocab_size": None}, {"text_config": None}):
        check_tokens(10, config, "a")
