"""Where words and sentences begin among a document's tokens: what masking and sentence pairs go by.

A sentence begins where sentencex says so (Wikimedia's splitter: rules and lists of abbreviations, nothing to
download, 32 MB/s on one core), and at every line: in cleaned text a line is a paragraph, a heading, a list
item, a table row or a line of code. A word is what the tokenizer's pre-tokenizer makes one; BERT's splits at
punctuation, so a URL or a command line is many words.
"""

import re
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import sentencex

INSIDE_WORD, WORD, SENTENCE = 0, 1, 2
"""What begins at a token: nothing, a word, or a sentence (and so a word)."""
LANGUAGE = "en"
"""Of the lists of abbreviations; other languages that end sentences with a full stop split well enough."""
_MAY_END = re.compile(r"[^.!?\x80-\U0010ffff]*+[.!?\x80-\U0010ffff]\S*+\s")
"""Begins a line in which a sentence may end before the line does: there is a mark that ends one, in any
script, and white space somewhere behind it. Most lines have none, and need not be split."""

Levels = npt.NDArray[np.uint8]


def sentence_starts(text: str, code_spans: list[dict[str, int]]) -> list[int]:
    """The characters at which sentences begin, in order; of code, the characters at which lines do.

    Args:
        text: cleaned text, a paragraph a line.
        code_spans: the character ranges (`start`, `end`) of code blocks, in order.
    """
    starts: list[int] = []
    spans = iter([*code_spans, {"start": len(text) + 1, "end": len(text) + 1}])
    span, place = next(spans), 0
    for line in text.split("\n"):
        while span["end"] <= place:
            span = next(spans)
        if not line or line.isspace():
            pass
        elif span["start"] > place and _MAY_END.match(line):
            starts += _sentences(line, place)
        else:
            starts.append(place)
        place += len(line) + 1
    return starts


def _sentences(line: str, place: int) -> Iterable[int]:
    """Where the sentences of a line begin, which itself begins at `place`."""
    yield place
    ended = False
    for piece in sentencex.segment(LANGUAGE, line):
        # `on .NET` is no end of a sentence: after one there is a space.
        if ended:
            yield place
        ended = piece[-1:].isspace()
        place += len(piece)


def boundary_levels(
    word_ids: list[int | None], starts: npt.NDArray[np.int64], sentences: list[int]
) -> Levels:
    """What begins at each token.

    Args:
        word_ids: for each token, the number of its word among the pre-tokenizer's.
        starts: (tokens,) the first character of each token.
        sentences: the characters at which sentences begin.
    """
    if None in word_ids:
        word_ids = [-1 if word is None else word for word in word_ids]
    words = np.fromiter(word_ids, np.int32, len(word_ids))
    levels = np.full(len(words), WORD, np.uint8)
    levels[1:][words[1:] == words[:-1]] = INSIDE_WORD
    first = np.searchsorted(starts, np.array(sentences, np.int64))
    levels[first[first < len(levels)]] = SENTENCE
    return levels
