"""The token windows of a split as arrays: their tokens, padded, and the documents that they are of."""

from dataclasses import dataclass
from hashlib import blake2b
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from tasks.train_model.batches.counting import Tokens
from tasks.train_model.batches.sentences import Documents


@dataclass(frozen=True, slots=True)
class Windows:
    """The token windows of one split, end to end in one array."""

    ids: npt.NDArray[np.int32]
    code: npt.NDArray[np.bool_]
    levels: npt.NDArray[np.uint8]
    """What begins at each token (see `tasks.boundaries`)."""
    offsets: npt.NDArray[np.int64]
    """(windows + 1,) where each window starts, and the last one ends."""
    document: npt.NDArray[np.int32]
    """(windows,) the document that each window is of; a document's windows follow one another."""

    @property
    def lengths(self) -> Tokens:
        """(windows,) tokens of each window, special tokens included."""
        return np.diff(self.offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def padded(self, windows: Tokens, pad_token_id: int) -> tuple[Tokens, npt.NDArray[np.bool_]]:
        """Token ids of some windows and which of them are real, (windows, longest) each."""
        starts = self.offsets[windows]
        lengths = self.offsets[windows + 1] - starts
        steps = np.arange(lengths.max(initial=1))
        real = steps[None, :] < lengths[:, None]
        places = np.where(real, starts[:, None] + steps[None, :], 0)
        return np.where(real, self.ids[places], pad_token_id).astype(np.int64), real

    def code_flags(self, windows: Tokens) -> npt.NDArray[np.bool_]:
        """Which tokens of some windows are code, (windows, longest); false at padding."""
        return self._flags(self.code, windows)

    def word_begins(self, windows: Tokens) -> npt.NDArray[np.bool_]:
        """Which tokens of some windows begin a word, (windows, longest); false at padding."""
        return self._flags(self.levels, windows)

    def documents(self) -> Documents:
        """The documents, put together again from their windows."""
        text = np.ones(len(self.ids), np.bool_)
        text[self.offsets[:-1]] = text[self.offsets[1:] - 1] = False  # [CLS] and [SEP]
        first = np.diff(self.document, prepend=-1) != 0
        offsets = np.append(np.concatenate(([0], text.cumsum()))[self.offsets[:-1][first]], text.sum())
        return Documents(ids=self.ids[text], code=self.code[text], levels=self.levels[text], offsets=offsets)

    def sample(self, most: int) -> "Windows":
        """The windows of some documents, with at most `most` tokens; those of one document at least.

        Which ones follows from the documents' own tokens, so that others more or less leave them where they
        are. The sample of a document that is too long by itself is its first windows.
        """
        if len(self.ids) <= most:
            return self
        edges = np.append(np.flatnonzero(np.diff(self.document, prepend=-1)), len(self))
        ends = self.offsets[edges]
        digests = [
            blake2b(self.ids[start:end].tobytes(), digest_size=16).digest() for start, end in pairwise(ends)
        ]
        order = sorted(range(len(digests)), key=digests.__getitem__)
        taken = max(1, int(np.searchsorted(np.diff(ends)[order].cumsum(), most, side="right")))
        rows = np.concatenate([np.arange(edges[one], edges[one + 1]) for one in sorted(order[:taken])])
        if taken == 1:
            rows = rows[: max(1, int(np.searchsorted(self.lengths[rows].cumsum(), most, side="right")))]
        return self.take(rows)

    def take(self, windows: Tokens) -> "Windows":
        """Some of the windows, in the order given."""
        tokens = np.concatenate([np.arange(self.offsets[w], self.offsets[w + 1]) for w in windows])
        return Windows(
            ids=self.ids[tokens],
            code=self.code[tokens],
            levels=self.levels[tokens],
            offsets=np.append(0, self.lengths[windows].cumsum()),
            document=self.document[windows],
        )

    def _flags(self, values: npt.NDArray[np.generic], windows: Tokens) -> npt.NDArray[np.bool_]:
        starts = self.offsets[windows]
        lengths = self.offsets[windows + 1] - starts
        steps = np.arange(lengths.max(initial=1))
        real = steps[None, :] < lengths[:, None]
        flags = values[np.where(real, starts[:, None] + steps[None, :], 0)].astype(np.bool_) & real
        return flags
