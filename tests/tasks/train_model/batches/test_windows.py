"""The windows of a split as padded arrays."""

from pathlib import Path

import numpy as np

from tasks.train_model.reading import read_windows


def test_windows_are_padded_as_they_are(tokenized: Path) -> None:
    """A padded batch holds each window's own tokens, and nothing of its neighbours."""
    windows = read_windows(tokenized)["train"]
    ids, real = windows.padded(np.array([3, 0, 49]), pad_token_id=0)
    for row, window in enumerate([3, 0, 49]):
        own = windows.ids[windows.offsets[window] : windows.offsets[window + 1]]
        assert ids[row][real[row]].tolist() == own.tolist()
        assert (ids[row][~real[row]] == 0).all()
        assert real[row].sum() == windows.lengths[window]
    flags = windows.code_flags(np.array([3, 1]))
    assert flags.any(axis=1).tolist() == [True, False]
    assert flags[0].sum() == windows.lengths[3] - 2
