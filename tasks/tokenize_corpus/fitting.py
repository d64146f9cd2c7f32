"""Whether a vocabulary fits the texts: how many pieces it makes of a word, and of how much it knows no piece.

BERT's English vocabulary makes 1.14 pieces of a word of one real English repository, 1.9 of German, 5 of
Russian; of Chinese it knows a fifth. A model learns little from texts that are taken apart like that.
"""

import numpy as np
import numpy.typing as npt

from tasks.boundaries import INSIDE_WORD, Levels

MOST_PIECES = 1.6
MOST_UNKNOWN = 0.01


class Fit:
    """What is counted of the tokens of prose."""

    def __init__(self, unknown_id: int | None) -> None:
        self._unknown_id = unknown_id
        self.pieces = self.words = self.unknown = 0

    def add(self, ids: npt.NDArray[np.int32], levels: Levels, code: npt.NDArray[np.bool_]) -> None:
        """Count the tokens of a document; code is no words.

        Args:
            levels: what begins at each token (see `tasks.boundaries`).
        """
        prose = ~code
        self.pieces += int(np.count_nonzero(prose))
        self.words += int(np.count_nonzero((levels != INSIDE_WORD) & prose))
        if self._unknown_id is not None:
            self.unknown += int(np.count_nonzero((ids == self._unknown_id) & prose))

    @property
    def pieces_per_word(self) -> float:
        """Mean pieces of a word; 0 where there is none."""
        return self.pieces / self.words if self.words else 0.0

    @property
    def unknown_share(self) -> float:
        """Share of the pieces that stand for what the vocabulary lacks, in [0, 1]."""
        return self.unknown / self.pieces if self.pieces else 0.0

    def warning(self, name: str) -> str | None:
        """What to tell a user whose texts the vocabulary of the model `name` does not fit."""
        if self.pieces_per_word <= MOST_PIECES and self.unknown_share <= MOST_UNKNOWN:
            return None
        return (
            f"the vocabulary of {name} fits these texts badly: {self.pieces_per_word:.1f} pieces a word and "
            f"{self.unknown_share:.1%} unknown ([UNK]), where up to {MOST_PIECES} and {MOST_UNKNOWN:.0%} are "
            "usual. Choose a model of their language with model.name_or_path, keep those that fit with "
            "filter.languages, or train one from scratch"
        )
