"""Windows hold their documents' tokens, framed, with what is known of each token."""

from itertools import chain

import numpy as np
import pytest

from tasks.models.settings import ScratchSettings
from tasks.tokenize_corpus.settings import TokenizeSettings
from tasks.tokenize_corpus.windows import code_flags, special_frame, tokenize_split
from tasks.tokenize_corpus.wordpiece import train_tokenizer
from tests.tasks.tokenize_corpus.conftest import TEXTS

SCRIPTS = {
    "Chinese": "人工智能是计算机科学的一个分支。它研究智能机器。\n\n机器学习很重要。",
    "Arabic": "الذكاء الاصطناعي هو فرع من علوم الحاسوب. يدرس الآلات.",
    "emoji": "😀😃😄 🚀🔥🎉 ❤️👍",
    "digits": "12345 67890 3.14159\n\n2024 42",
}
"""Texts without a letter of ours."""


class Documents(list):
    """Documents that answer slices as a dataset does."""

    def __getitem__(self, item):
        """The columns of a slice."""
        rows = super().__getitem__(item)
        return {"text": [text for text, _ in rows], "code_spans": [spans for _, spans in rows]}


def test_code_flags_follow_the_spans():
    """A token is code exactly when it begins inside a span."""
    flags = code_flags([{"start": 2, "end": 5}, {"start": 8, "end": 9}], np.array([0, 2, 4, 5, 8, 9]))
    assert flags.tolist() == [False, True, True, False, True, False]


def test_chunk_loses_nothing(tokenizer):
    """Put together again, the windows of a document are its tokens, framed by [CLS] and [SEP]."""
    documents = Documents((text, []) for text in TEXTS)
    table, total = tokenize_split(documents, tokenizer, TokenizeSettings(max_seq_length=16), "train")
    data = table.dataset("test")
    prefix, suffix = special_frame(tokenizer)
    for index, text in enumerate(TEXTS):
        rows = [row["input_ids"] for row in data if row["document"] == index]
        assert all(len(row) <= 16 and row[:1] == prefix and row[-1:] == suffix for row in rows)
        assert (
            list(chain.from_iterable(row[1:-1] for row in rows))
            == tokenizer(text, add_special_tokens=False)["input_ids"]
        )
    assert table.tokens == total == sum(len(row["input_ids"]) - 2 for row in data)


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_corpus_of_any_script_has_windows(script):
    """From scratch, its vocabulary need not know an `a`: the frame is the same, and no token is unknown."""
    texts = [SCRIPTS[script] * 5, SCRIPTS[script]]
    tokenizer = train_tokenizer(lambda: texts, ScratchSettings(vocab_size=200))
    assert "a" not in tokenizer.get_vocab()
    assert special_frame(tokenizer) == ([tokenizer.cls_token_id], [tokenizer.sep_token_id])
    documents = Documents((text, []) for text in texts)
    table, total = tokenize_split(documents, tokenizer, TokenizeSettings(max_seq_length=16), "train")
    rows = [row["input_ids"] for row in table.dataset("test")]
    assert table.tokens == total == sum(len(row) - 2 for row in rows) > 0
    assert not any(tokenizer.unk_token_id in row for row in rows)


def framed(single, *, unknown=True):
    """A tokenizer of one word, `b`, that puts its special tokens as the template says."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "b": 3}
    model = models.WordLevel(vocabulary, unk_token="[UNK]") if unknown else models.BPE({"b": 0}, [])
    backend = Tokenizer(model)
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.add_special_tokens(["[UNK]", "[CLS]", "[SEP]"])
    special = [(name, backend.token_to_id(name)) for name in ("[CLS]", "[SEP]")]
    backend.post_processor = processors.TemplateProcessing(single=single, special_tokens=special)
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    )


@pytest.mark.parametrize("unknown", [True, False])
@pytest.mark.parametrize(
    ("single", "frame"),
    [
        ("[CLS] $A [SEP]", (["[CLS]"], ["[SEP]"])),
        ("$A [SEP] [SEP]", ([], ["[SEP]", "[SEP]"])),
        ("[CLS] $A", (["[CLS]"], [])),
        ("$A", ([], [])),
    ],
)
def test_the_frame_is_what_stands_around_a_text(single, frame, unknown):
    """Whether an `a` is unknown to the vocabulary, which is a special token too, or left out altogether."""
    tokenizer = framed(single, unknown=unknown)
    assert tuple(tokenizer.convert_ids_to_tokens(ids) for ids in special_frame(tokenizer)) == frame


def test_boundaries_travel_with_the_tokens(tokenizer):
    """Windows say where sentences and words begin; special tokens count as words."""
    documents = Documents((text, []) for text in TEXTS)
    table, _ = tokenize_split(documents, tokenizer, TokenizeSettings(max_seq_length=64), "train")
    row = table.dataset("test")[0]
    assert len(row["boundaries"]) == len(row["input_ids"])
    assert row["boundaries"][0] == row["boundaries"][-1] == 1
    begins = [place for place, level in enumerate(row["boundaries"]) if level == 2]
    sentences = [
        tokenizer.decode(row["input_ids"][a:b]) for a, b in zip(begins, [*begins[1:], -1], strict=True)
    ]
    assert sentences == [
        "the quick brown fox jumps over the lazy dog.",
        "it runs far.",
        "then it sleeps near the river bank.",
    ]


def test_truncate_keeps_the_first_window(tokenizer):
    """Truncation keeps what the tokenizer itself would keep, one window a document."""
    documents = Documents((text, []) for text in TEXTS)
    chosen = TokenizeSettings(mode="truncate", max_seq_length=16)
    table, total = tokenize_split(documents, tokenizer, chosen, "train")
    expected = tokenizer(TEXTS, truncation=True, max_length=16)["input_ids"]
    assert [row["input_ids"] for row in table.dataset("test")] == expected
    assert table.tokens < total


def test_a_mask_token_in_a_text_is_text(tokenizer):
    """A document that writes [MASK] is not masked by it."""
    documents = Documents([("The [MASK] token and [SEP].", [])])
    table, _ = tokenize_split(documents, tokenizer, TokenizeSettings(max_seq_length=64), "train")
    ids = table.dataset("test")[0]["input_ids"]
    assert tokenizer.mask_token_id not in ids
    assert ids.count(tokenizer.sep_token_id) == 1


def test_a_tokenizer_is_as_it_was_after_a_failure(tokenizer):
    """Where a document stops the work, special tokens mean again what they meant before."""
    documents = Documents([("The [MASK] token.", None)])
    with pytest.raises(TypeError):
        tokenize_split(documents, tokenizer, TokenizeSettings(max_seq_length=64), "train")
    backend = tokenizer.backend_tokenizer
    assert tokenizer.mask_token_id in backend.encode("The [MASK] token.").ids
