"""Headings and links: where they stand in a cleaned text, and how they are found there.

A link's words are known while its block is read, but the block's text is made of all its words at once, for
a builder's marks go over several. Words that stand there once are found as they are. Of others, the words
before the link are read the same way as the block, and say where to look.
"""

from collections.abc import Callable, Iterable, Sequence

Span = tuple[int, int]
"""A range of characters."""
Link = tuple[int, int, str]
"""The range of a link's words, among the parts of a block or in a text, and its target as it was written."""
Heading = tuple[int, int, int, str]
"""A heading's range in a text, its level (1 to 6), and the name that its author gave it, or nothing."""

MOST_MISSED = 100
"""Links of a block that stand nowhere in its text: the others are not looked for, or time would grow faster
than the block."""
_SPACES = 2
"""Characters that may be left out at the ends of what is between two links."""
_ALIKE = 500
"""Characters by which a block's text may be longer than its words."""


def placed(text: str, parts: Sequence[str], links: Iterable[Link], read: Callable[[str], str]) -> list[Link]:
    """Where the links of a block stand in its text; one without words stands nowhere.

    Args:
        text: the block as it is laid out.
        parts: its words before that.
        links: their places among the parts; of those in each other the inner one comes first, and counts.
        read: makes of words what the text was made of.
    """
    found: list[Link] = []
    if not text:
        return found
    since = done = place = missed = 0  # since: of the parts, those behind the last link that was found
    for begin, end, target in links:
        if begin < done:
            continue
        done, words = end, parts[begin].strip() if end == begin + 1 else "".join(parts[begin:end]).strip()
        gap, start = "".join(parts[since:begin]), -1
        if words and words not in gap:
            start = text.find(words, place, place + len(gap) + len(words) + _SPACES)
        if start < 0 and (words := read(words)):
            start = _start(text, words, read(gap), place)
        if start >= 0:
            since, place = end, start + len(words)
            found.append((start, place, target))
        elif (missed := missed + 1) == MOST_MISSED:
            break
    return found


def _start(text: str, words: str, gap: str, place: int) -> int:
    """Where `words` stand in `text` behind what is read as `gap`, which begins at `place`; -1 if nowhere."""
    start = text.find(words, place + len(gap), place + len(gap) + len(words) + _SPACES)
    if start >= 0:
        return start
    end = place + 2 * len(gap) + len(words) + _ALIKE
    start = text.find(words, place, end)
    for _ in range(gap.count(words)):
        start = text.find(words, start + len(words), end) if start >= 0 else start
    return start


def parted(text: str, links: Iterable[Link]) -> tuple[list[str], list[Link]]:
    """A text in parts, those that are links and those between them, and the links' places among them."""
    parts: list[str] = []
    among: list[Link] = []
    done = 0
    for start, end, target in links:
        parts += (text[done:start], text[start:end])
        among.append((len(parts) - 1, len(parts), target))
        done = end
    return [*parts, text[done:]], among
