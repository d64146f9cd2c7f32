"""Pairs of segments for the second objective, drawn anew each epoch.

An epoch cuts every document into chunks and every chunk in two, A and the text that follows it, B. Then, of
exactly half of the pairs, chosen at random:

- NSP (Devlin et al., BERT, 2018): the Bs change places, each going to a pair of another document whose own
  B is as long or a little longer. So labels are balanced, a false B is never what truly follows, and neither
  its length nor its end gives it away, as they would if it were cut to fit. All text is still seen once.
- SOP (Lan et al., ALBERT, 2019): A and B change places.

Everything follows from (seed, epoch), so any process can draw an epoch for itself, at any time.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from tasks.errors import UserError
from tasks.train_model.batches.counting import Flags, Tokens, draws, uniform, window_keys
from tasks.train_model.batches.masking import IGNORED
from tasks.train_model.batches.sentences import Documents, cut_chunks, cut_in_two

Kind = Literal["nsp", "sop"]

FRAME = 3
"""Special tokens of a pair: [CLS] A [SEP] B [SEP]."""
FOLLOWS, FALSE = 0, 1
"""`next_sentence_label`, as in transformers: B follows A, or it does not."""
_CUT, _FALSE, _TIE, _KEPT = 12, 13, 14, 15
"""Streams of draws (see `masking`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairTable:
    """The pairs of one epoch, as places in the documents' tokens."""

    a: Tokens
    """(pairs, 2) where each first segment starts and ends."""
    b: Tokens
    labels: Tokens
    """(pairs,) 0 where B follows A, else 1."""

    @property
    def lengths(self) -> Tokens:
        """(pairs,) tokens of each pair, special tokens included."""
        lengths: Tokens = np.diff(self.a)[:, 0] + np.diff(self.b)[:, 0] + FRAME
        return lengths


@dataclass(frozen=True, slots=True, kw_only=True)
class PairRows:
    """Some pairs, padded to the longest: (pairs, positions) each but the labels."""

    ids: Tokens
    real: Flags
    code: Flags
    begins: Flags
    types: Tokens
    """0 for [CLS] A [SEP], 1 for B [SEP]: `token_type_ids`."""
    labels: Tokens
    """(pairs,) `next_sentence_label`."""


def draw_pairs(
    documents: Documents, kind: Kind, chunks: Tokens, room: int, seed: int, epoch: int
) -> PairTable:
    """The pairs that an epoch makes of its chunks."""
    count = len(chunks)
    keys = window_keys(seed, epoch, np.arange(count))
    cuts = cut_in_two(documents, chunks, uniform(draws(keys, _CUT, 1))[:, 0])
    a = np.stack((chunks[:, 0], cuts), axis=1)
    b = np.stack((cuts, chunks[:, 1]), axis=1)
    false = np.argsort(draws(keys, _FALSE, 1)[:, 0], kind="stable")[: count // 2]
    labels = np.full(count, FOLLOWS)
    labels[false] = FALSE
    if kind == "sop":
        a[false], b[false] = b[false], a[false]
    else:
        lengths = np.diff(b[false])[:, 0]
        by_length = false[np.lexsort((draws(keys, _TIE, 1)[false, 0], -lengths))]
        moved = b[partners(by_length, documents.document_of(chunks[:, 0]))]
        moved[:, 1] = np.minimum(moved[:, 1], moved[:, 0] + room - np.diff(a[by_length])[:, 0])
        b[by_length] = moved
    return PairTable(a=a, b=b, labels=labels)


def partners(pairs: Tokens, document: Tokens) -> Tokens:
    """For each of some pairs, the pair whose B it gets: the next one that is of another document.

    Args:
        pairs: pairs in the order of their Bs' lengths, the longest first.
        document: (all pairs,) the document of each; at least two differ.
    """
    if not len(pairs):
        return pairs
    own = document[pairs]
    runs = np.flatnonzero(np.diff(own, prepend=-1))  # where a stretch of one document begins
    following = np.searchsorted(runs, np.arange(len(pairs)), "right")
    if len(runs) > 1:
        # The last stretch has none after it, and takes the one before.
        return pairs[
            np.where(following < len(runs), runs[np.minimum(following, len(runs) - 1)], runs[-1] - 1)
        ]
    return np.broadcast_to(np.flatnonzero(document != own[0])[:1], pairs.shape)


def allows_false(documents: Documents) -> bool:
    """Whether false segments can be had: from two documents that are long enough to be cut in two."""
    return int((np.diff(documents.offsets) >= 2).sum()) >= 2


class Pairs:
    """The pairs of every epoch: as many in each as in the first, so that all epochs have as many steps.

    Epochs differ by a few chunks in a thousand: a later one leaves out what it has more, chosen at random,
    and has a chunk twice for each that it lacks.

    Args:
        max_seq_length: tokens of the longest pair, special tokens included; 8 or more.
        short_share: share of the pairs of a length drawn at random.
        frame: the ids of [CLS] and [SEP].

    Raises:
        UserError: NSP is wanted of fewer than two documents.
    """

    def __init__(
        self,
        documents: Documents,
        kind: Kind,
        *,
        max_seq_length: int,
        short_share: float,
        seed: int,
        frame: tuple[int, int],
    ) -> None:
        self.documents, self.kind, self.room = documents, kind, max_seq_length - FRAME
        self.short_share, self.seed, self.frame = short_share, seed, frame
        if kind == "nsp" and not allows_false(documents):
            raise UserError(
                "next-sentence prediction takes false sentences from other documents, and here are fewer "
                "than two: choose --train.objective mlm or mlm+sop"
            )
        self._count = len(self._chunks(0))
        self._drawn: tuple[int, PairTable] | None = None

    def __len__(self) -> int:
        return self._count

    def table(self, epoch: int) -> PairTable:
        """The pairs of an epoch, counted from 0."""
        if self._drawn is None or self._drawn[0] != epoch:
            chunks = self._chunks(epoch)
            order = np.argsort(
                draws(window_keys(self.seed, epoch, chunks[:, 0]), _KEPT, 1)[:, 0], kind="stable"
            )
            kept = np.resize(order, self._count)
            document = self.documents.document_of(chunks[:, 0])
            others = np.flatnonzero(document != document[kept[0]])
            if self.kind == "nsp" and len(others) and not np.isin(kept, others).any():
                kept[-1] = others[0]  # of one document alone no false pair can be made
            chunks = chunks[np.sort(kept)]
            table = draw_pairs(self.documents, self.kind, chunks, self.room, self.seed, epoch)
            self._drawn = epoch, table
        return self._drawn[1]

    def rows(self, pairs: Tokens, epoch: int, pad_token_id: int) -> PairRows:
        """Some pairs of an epoch as a padded batch; a negative one has no label."""
        table, source, (cls, sep) = self.table(epoch), self.documents, self.frame
        chosen = np.maximum(pairs, 0)
        a, b = table.a[chosen], table.b[chosen]
        first, second = np.diff(a), np.diff(b)  # (pairs, 1) lengths
        steps = np.arange(int((first + second).max(initial=0)) + FRAME)
        in_a = (steps > 0) & (steps <= first)
        in_b = (steps > first + 1) & (steps < first + second + 2)
        real = steps < first + second + FRAME
        places = np.where(in_a, a[:, :1] + steps - 1, np.where(in_b, b[:, :1] + steps - first - 2, 0))
        text = in_a | in_b
        ids = np.where(text, source.ids[places], np.where(real, sep, pad_token_id)).astype(np.int64)
        ids[:, 0] = cls
        return PairRows(
            ids=ids,
            real=real,
            code=source.code[places] & text,
            begins=(source.levels[places] > 0) | ~text,
            types=((steps > first + 1) & real).astype(np.int64),
            labels=np.where(pairs >= 0, table.labels[chosen], IGNORED),
        )

    def _chunks(self, epoch: int) -> Tokens:
        return cut_chunks(self.documents, self.room, self.short_share, self.seed, epoch)
