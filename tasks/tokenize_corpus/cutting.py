"""Where a document is cut into windows: at the best nearby boundary, nothing dropped."""

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

FILL = 0.9
"""Mean share of a window's room that chunking aims to fill, so that a cut can wait for a good boundary."""

PARAGRAPH, LINE, SENTENCE, WORD, INSIDE = 4, 3, 2, 1, 0
"""How good a place is for a cut: before a paragraph, a line, a sentence, a word, or inside a word."""
_IS_STOP = np.isin(np.arange(129), [ord(mark) for mark in ".!?:;"])
"""(129,) by the number of a character whether it ends a sentence; the last is for all beyond ASCII."""


def code_points(text: str) -> npt.NDArray[np.uint8] | npt.NDArray[np.uint32]:
    """(characters,) the numbers of the characters, in one byte each where that is enough."""
    if text.isascii():
        return np.frombuffer(text.encode(), np.uint8)
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def boundary_scores(text: str, starts: Ints, ends: Ints) -> Ints:
    """How good a cut before each token is, from what stands between it and the token before.

    Args:
        text: the document.
        starts: (tokens,) the first character of each token.
        ends: (tokens,) one past the last character of each token.
    """
    points = code_points(text)
    newlines = np.concatenate(([0], np.cumsum(points == ord("\n"), dtype=np.int32)))
    before = np.concatenate((starts[:1], ends[:-1]))
    crossed = newlines[starts] - newlines[np.minimum(before, starts)]
    stops = _IS_STOP[np.minimum(points[np.maximum(before - 1, 0)], 128)]
    scores = np.where(starts > before, np.where(stops, SENTENCE, WORD), INSIDE)
    scores = np.where(crossed == 1, LINE, scores)
    return np.where(crossed > 1, PARAGRAPH, scores).astype(np.int64)


def cut_windows(scores: Ints, room: int) -> Ints:
    """Cut a document's tokens into windows of at most `room`, nothing dropped, at the best boundaries.

    Each cut is the best-scored place between three quarters of an even share and a full window; of
    equally good places, the one nearest to an even share.

    Args:
        scores: (tokens,) `boundary_scores` of the document.
        room: most tokens in a window, special tokens not counted.

    Returns:
        (windows, 2) where each starts and ends.
    """
    windows: list[tuple[int, int]] = []
    start, total = 0, len(scores)
    # Score first, then nearness to the even share, by the distance from it.
    weights, distances = scores * (total + 1), np.abs(np.arange(-room, room + 1))
    while total - start > room:
        left = total - start
        pieces = max(2, -int(-left // (room * FILL)))
        share = min(room, -(-left // pieces))
        least = max(1, share * 3 // 4, left - (pieces - 1) * room)
        near = distances[room + least - share : 2 * room + 1 - share]
        cut = start + least + int((weights[start + least : start + room + 1] - near).argmax())
        windows.append((start, cut))
        start = cut
    if total > start:
        windows.append((start, total))
    return np.array(windows, np.int64).reshape(-1, 2)
