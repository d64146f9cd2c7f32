"""The domain's own words: how often a model finds one that is masked in a held-out document.

A word is three letters or more in a row, in small letters. It is of the domain if its share among the words
of a sample of all documents is at least 20 times its share in the language at large, by the small list of
`wordfreq` (a word that is not on it counts as one in a million), and it stands there at least 5 times, in 3
documents. Of these the 1,000 that the documents have most beyond what the language would are asked for:
those of the largest count · log(ratio).

In each held-out window words are drawn until 15 % of its tokens are masked, at least one word; all pieces of
a word are masked, and it is found if all are.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tasks.evaluate_model.differences import before_and_after
from tasks.evaluate_model.given import Given, NotMeasured
from tasks.evaluate_model.masked import RATE, Masked, Window, cut_windows, load_tokenizer, predict_both
from tasks.evaluate_model.sampling import Document, read_sample

RATIO, LEAST, DOCUMENTS, MOST = 20.0, 5, 3, 1_000
RAREST = 1e-6
"""The share of a word that is not on the list: those that are have more."""
COUNTED = 10
"""Times the bound of the probe: tokens of the documents in which words are counted."""
_WORD = re.compile(r"(?<![^\W\d_])[^\W\d_]{3,}(?![^\W\d_])")


def domain_words(given: Given) -> dict[str, Any]:
    """The accuracy of both models at masked words of the domain, in a sample of held-out documents.

    In `not_measured` stands why there is none of the model `before`, if it fills no masks.

    Raises:
        NotMeasured: there is no list of the documents' language, or no such word in a held-out document.
    """
    settings = given.settings
    language = next(iter(given.languages), "en")
    counted = None if settings.max_tokens is None else COUNTED * settings.max_tokens
    words = choose_words(read_sample(given.corpus, None, counted, settings.seed), shares_in(language))
    if not words:
        raise NotMeasured("no word is much more frequent in these documents than elsewhere")
    held_out = read_sample(given.corpus, "eval", settings.max_tokens, settings.seed)
    tokenizer = load_tokenizer(given.trained)
    windows, pieces = masked_words(held_out, words, tokenizer, given.max_seq_length)
    if not windows:
        raise NotMeasured("no held-out document has a word of the domain that the vocabulary can write")
    begins = np.cumsum([0, *pieces.lengths[:-1]])
    predicted, not_measured = predict_both(given, windows, tokenizer.pad_token_id)
    found = {name: np.minimum.reduceat(hits, begins) for name, (_, hits) in predicted.items()}
    told = before_and_after(found.get("before"), found["after"], pieces.documents, settings.seed)
    return told | {
        "words": len(pieces.lengths),
        "different_words": len(set(pieces.words)),
        "not_measured": not_measured,
    }


def shares_in(language: str) -> Mapping[str, float]:
    """The share of each frequent word among the words of a language, by its two-letter code.

    Raises:
        NotMeasured: there is no list of it.
    """
    from wordfreq import available_languages, get_frequency_dict

    if language not in available_languages("small"):
        raise NotMeasured(f"there is no list of the frequent words of the language {language!r}")
    shares: Mapping[str, float] = get_frequency_dict(language, "small")
    return shares


def choose_words(documents: Sequence[Document], elsewhere: Mapping[str, float]) -> set[str]:
    """The words that are much more frequent in these documents than elsewhere."""
    counts, holding = Counter[str](), Counter[str]()
    for document in documents:
        own = Counter(found[0].lower() for found in _WORD.finditer(document.text))
        counts.update(own)
        holding.update(own.keys())
    total = max(1, counts.total())
    gains = {}
    for word, count in counts.items():
        ratio = count / total / elsewhere.get(word, RAREST)
        if ratio >= RATIO and count >= LEAST and holding[word] >= DOCUMENTS:
            gains[word] = count * math.log(ratio)
    return set(sorted(gains, key=lambda word: (-gains[word], word))[:MOST])


class Pieces:
    """The masked words of some windows, in their order."""

    def __init__(self) -> None:
        self.lengths: list[int] = []
        """Tokens of each."""
        self.words: list[str] = []
        self.documents: list[str] = []


def masked_words(
    documents: Sequence[Document], words: set[str], tokenizer: Any, max_seq_length: int
) -> tuple[list[Masked], Pieces]:
    """Windows with words of the domain masked, and these words."""
    texts = {document.path: document.text for document in documents}
    masked, pieces = [], Pieces()
    for window in cut_windows(documents, tokenizer, max_seq_length):
        drawn = _drawn(window, words_in(window, texts[window.document], words))
        if not drawn:
            continue
        places = np.concatenate([place for _, place in drawn])
        seen = window.ids.copy()
        seen[places] = tokenizer.mask_token_id
        masked.append(Masked(window, seen, places))
        pieces.lengths += [len(place) for _, place in drawn]
        pieces.words += [word for word, _ in drawn]
        pieces.documents += [window.document] * len(drawn)
    return masked, pieces


def words_in(window: Window, text: str, words: set[str]) -> list[tuple[str, range]]:
    """The chosen words that stand in a window, each with its tokens' places.

    A word is left out that the window cuts, or whose tokens are unknown or hold more than the word.
    """
    starts, ends = window.offsets.T
    there = np.flatnonzero(window.ordinary)
    first, last = int(starts[there[0]]), int(ends[there[-1]])
    found = []
    for match in _WORD.finditer(text, max(0, first - 1), last + 1):
        word, start, end = match[0].lower(), match.start(), match.end()
        if word not in words:
            continue
        own = there[(starts[there] < end) & (ends[there] > start)]
        if not len(own) or own[-1] - own[0] + 1 != len(own):
            continue
        begins, stops = int(starts[own[0]]), int(ends[own[-1]])
        whole = begins <= start and stops >= end
        if whole and not (text[begins:start] + text[end:stops]).strip():
            found.append((word, range(int(own[0]), int(own[-1]) + 1)))
    return found


def _drawn(window: Window, found: list[tuple[str, range]]) -> list[tuple[str, range]]:
    """Some of the words, in their order: at least one, and at most `RATE` of the window's tokens."""
    left = int(window.ordinary.sum()) * RATE
    taken: list[int] = []
    for number in window.random().permutation(len(found)).tolist():
        length = len(found[number][1])
        if not taken or length <= left:
            taken.append(number)
            left -= length
    return [found[number] for number in sorted(taken)]
