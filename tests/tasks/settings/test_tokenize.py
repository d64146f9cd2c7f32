"""How texts become windows."""

from itertools import chain
from typing import Any

import pytest
from datasets import Dataset

from tasks.tokenize_corpus.settings import TokenizeSettings
from tasks.tokenize_corpus.windows import tokenize_split
from tests.tiny import SENTENCES, tiny_tokenizer

TEXTS = [" ".join(SENTENCES * 4), SENTENCES[0], "\n\n".join(SENTENCES * 3)]


def windows(**changes: Any) -> dict[int, list[list[int]]]:
    """The windows of each document, without their special tokens."""
    documents = Dataset.from_dict({"text": TEXTS, "code_spans": [[] for _ in TEXTS]})
    table, _ = tokenize_split(documents, tiny_tokenizer(), TokenizeSettings(**changes), "train")
    found: dict[int, list[list[int]]] = {number: [] for number in range(len(TEXTS))}
    for row in table.dataset("test"):
        assert len(row["input_ids"]) <= changes["max_seq_length"]
        found[row["document"]].append(row["input_ids"][1:-1])
    return found


def tokens(text: str) -> list[int]:
    """All tokens of a text."""
    return tiny_tokenizer()(text, add_special_tokens=False)["input_ids"]


@pytest.mark.setting("tokenize.mode", "tokenize.max_seq_length")
@pytest.mark.parametrize("length", [12, 24, 40])
def test_truncate_keeps_the_first_tokens(length: int) -> None:
    """One window a document: its first tokens, as many as fit with the two special ones."""
    found = windows(mode="truncate", max_seq_length=length)
    assert found == {number: [tokens(text)[: length - 2]] for number, text in enumerate(TEXTS)}


@pytest.mark.setting("tokenize.mode", "tokenize.max_seq_length")
@pytest.mark.parametrize("length", [12, 24, 40])
def test_chunk_keeps_all_tokens(length: int) -> None:
    """As many windows as are needed, one after another, each as long as it may be or ended at a boundary."""
    found = windows(mode="chunk", max_seq_length=length)
    for number, text in enumerate(TEXTS):
        assert list(chain.from_iterable(found[number])) == tokens(text)
        least = -(-len(tokens(text)) // (length - 2))
        assert least <= len(found[number]) <= 2 * least
    assert max(len(window) for window in found[0]) > (length - 2) / 2
