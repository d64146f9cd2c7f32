"""The windows of a split as padded arrays."""

from pathlib import Path

import numpy as np
import pytest

from tasks.train_model.batches.windows import Windows
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


def documents_of(windows: Windows) -> list[bytes]:
    """The tokens of each document, in order."""
    return [
        b"".join(
            windows.ids[windows.offsets[w] : windows.offsets[w + 1]].tobytes()
            for w in np.flatnonzero(windows.document == document)
        )
        for document in dict.fromkeys(windows.document.tolist())
    ]


@pytest.mark.parametrize("most", [1, 30, 100, 250, 500])
def test_a_sample_is_of_whole_documents(tokenized: Path, most: int) -> None:
    """As many as fit, in their order; of one that is too long by itself the first windows."""
    windows = read_windows(tokenized)["train"]
    found = windows.sample(most)
    whole = documents_of(windows)
    if len(set(found.document.tolist())) > 1:
        assert set(documents_of(found)) <= set(whole)
    else:
        assert any(document.startswith(documents_of(found)[0]) for document in whole)
    assert 0 < len(found.ids) <= most or len(found) == 1
    assert (np.diff(found.document) >= 0).all()
    assert len(found.ids) == len(found.code) == len(found.levels) == found.offsets[-1]


def test_a_sample_keeps_what_belongs_to_a_window(tokenized: Path) -> None:
    """Its tokens, which of them are code, and what begins at each."""
    windows = read_windows(tokenized)["train"]
    found = windows.take(np.array([7, 2]))
    for row, window in enumerate([7, 2]):
        for name in ("ids", "code", "levels"):
            own, old = getattr(found, name), getattr(windows, name)
            assert np.array_equal(
                own[found.offsets[row] : found.offsets[row + 1]],
                old[windows.offsets[window] : windows.offsets[window + 1]],
            )


def test_a_sample_follows_from_the_documents_alone(tokenized: Path) -> None:
    """Where the others lie, and whether there is one more, changes nothing of what is taken."""
    windows = read_windows(tokenized)["train"]
    found = set(documents_of(windows.sample(300)))
    assert len(found) > 1
    later = windows.take(np.flatnonzero(windows.document != windows.document[-1]))
    fewer = set(documents_of(later.sample(300)))
    assert len(found - fewer) <= 1
    moved = windows.take(np.argsort(-windows.document, kind="stable"))
    assert set(documents_of(moved.sample(300))) == found
    assert windows.sample(len(windows.ids)) is windows
