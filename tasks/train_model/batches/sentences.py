"""Documents as runs of tokens, and how an epoch cuts them into chunks that become pairs of segments.

As for BERT's original data (create_pretraining_data.py): sentence after sentence is taken until a chunk is
full, or, for a share of the chunks, until it is as long as a length drawn at random. Unlike there, nothing is
cut away: what does not fit begins the next chunk, so an epoch sees every token once.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from tasks.boundaries import INSIDE_WORD, SENTENCE
from tasks.train_model.batches.counting import Flags, Tokens, draws, uniform, window_keys

_TARGET = 11
"""The stream of chunk lengths (see `masking`)."""


@dataclass(frozen=True)
class Documents:
    """The tokens of one split's documents, end to end, without special tokens."""

    ids: npt.NDArray[np.int32]
    code: Flags
    levels: npt.NDArray[np.uint8]
    offsets: Tokens
    """(documents + 1,) where each document starts, and the last one ends."""

    @cached_property
    def sentences(self) -> Tokens:
        """Places at which a sentence or a document begins, and the end of all, in order."""
        return np.union1d(np.flatnonzero(self.levels == SENTENCE), self.offsets)

    @cached_property
    def words(self) -> Tokens:
        """Places at which a word begins, in order."""
        return np.flatnonzero(self.levels != INSIDE_WORD)

    def document_of(self, places: Tokens) -> Tokens:
        """The documents in which tokens stand."""
        found: Tokens = np.searchsorted(self.offsets, places, "right") - 1
        return found


def cut_chunks(documents: Documents, room: int, short_share: float, seed: int, epoch: int) -> Tokens:
    """(chunks, 2) where an epoch's chunks start and end: of one document, at most `room` tokens each.

    A chunk ends with a sentence and has at least two, where two fit; otherwise it ends with a word. All
    documents are cut at once, one chunk of each in a round. What is left of a document when it is a
    single token is left out: it makes no pair.

    Args:
        short_share: of the chunks, share whose length is drawn from 2 … `room` instead of filled up.
    """
    places, ends = documents.offsets[:-1], documents.offsets[1:]
    sentences = documents.sentences
    chunks: list[Tokens] = []
    while len(places):
        lengths = draws(window_keys(seed, epoch, places), _TARGET, 2)
        short = uniform(lengths[:, 0]) < short_share
        wanted = np.where(short, 2 + np.floor(uniform(lengths[:, 1]) * (room - 1)).astype(np.int64), room)
        most = np.minimum(places + room, ends)
        fitting = sentences[np.searchsorted(sentences, np.minimum(places + wanted, ends), "right") - 1]
        # The end of the second sentence, or of the document where there is no second.
        second = np.minimum(np.searchsorted(sentences, places, "right") + 1, len(sentences) - 1)
        two = np.minimum(sentences[second], ends)
        cut = np.where(two <= most, np.maximum(fitting, two), _last_word(documents, places, most, ends))
        chunks.append(np.stack((places, cut), axis=1))
        going_on = cut < ends
        places, ends = cut[going_on], ends[going_on]
    found = np.concatenate(chunks) if chunks else np.zeros((0, 2), np.int64)
    found = found[found[:, 1] - found[:, 0] >= 2]
    return found[np.argsort(found[:, 0])]


def cut_in_two(documents: Documents, chunks: Tokens, luck: npt.NDArray[np.float64]) -> Tokens:
    """(chunks,) where each chunk's second segment begins: at a sentence if it can, else at a word.

    Args:
        luck: (chunks,) uniform in [0, 1): which of a chunk's sentences.
    """
    starts, ends = chunks.T
    cuts: Tokens = starts + 1 + np.floor(luck * (ends - starts - 1)).astype(np.int64)
    for places in (documents.words, documents.sentences):
        low, high = np.searchsorted(places, starts, "right"), np.searchsorted(places, ends, "left")
        some = high > low
        chosen = low + np.floor(luck * (high - low)).astype(np.int64)
        cuts[some] = places[chosen[some]]
    return cuts


def _last_word(documents: Documents, places: Tokens, most: Tokens, ends: Tokens) -> Tokens:
    """The latest beginning of a word up to `most`, or `most` itself where a single word is longer."""
    words = documents.words
    if not len(words):
        return most
    latest = words[np.maximum(np.searchsorted(words, most, "right") - 1, 0)]
    ended: Tokens = np.where((most < ends) & (latest > places + 1), latest, most)
    return ended
