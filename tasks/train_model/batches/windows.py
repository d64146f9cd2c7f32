"""The token windows of a split as arrays: their tokens, padded, and the documents that they are of."""

from dataclasses import dataclass

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

    def _flags(self, values: npt.NDArray[np.generic], windows: Tokens) -> npt.NDArray[np.bool_]:
        starts = self.offsets[windows]
        lengths = self.offsets[windows + 1] - starts
        steps = np.arange(lengths.max(initial=1))
        real = steps[None, :] < lengths[:, None]
        flags = values[np.where(real, starts[:, None] + steps[None, :], 0)].astype(np.bool_) & real
        return flags
