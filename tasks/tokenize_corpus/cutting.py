"""Where a document is cut into windows: at the best nearby boundary, nothing dropped."""

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

FILL = 0.9
"""Mean share of a window's room that chunking aims to fill, so that a cut can wait for a good boundary."""

PARAGRAPH, LINE, SENTENCE, WORD, INSIDE = 4, 3, 2, 1, 0
"""How good a place is for a cut: before a paragraph, a line, a sentence, a word, or inside a word."""


def boundary_scores(text: str, starts: Ints, ends: Ints) -> Ints:
    """How good a cut before each token is, from what stands between it and the token before.

    Args:
        text: the document.
        starts: (tokens,) the first character of each token.
        ends: (tokens,) one past the last character of each token.
    """
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    newlines = np.concatenate(([0], np.cumsum(points == ord("\n"))))
    before = np.concatenate((starts[:1], ends[:-1]))
    crossed = newlines[starts] - newlines[np.minimum(before, starts)]
    stops = np.isin(points[np.maximum(before - 1, 0)], [ord(mark) for mark in ".!?:;"])
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
    while total - start > room:
        left = total - start
        pieces = max(2, -int(-left // (room * FILL)))
        share = min(room, -(-left // pieces))
        low = start + max(1, share * 3 // 4, left - (pieces - 1) * room)
        places = np.arange(low, start + room + 1)
        # Score first, then nearness to the even share.
        rank = scores[places] * (total + 1) - np.abs(places - (start + share))
        cut = int(places[np.argmax(rank)])
        windows.append((start, cut))
        start = cut
    if total > start:
        windows.append((start, total))
    return np.array(windows, np.int64).reshape(-1, 2)
