"""Texts that say nearly the same: MinHash signatures of word 5-grams, compared where they may be alike.

The sketches are datasketch's, an optional dependency.
"""

import functools
from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from tasks.errors import UserError

if TYPE_CHECKING:
    from datasketch import MinHash

PERMUTATIONS = 128
"""Numbers in a signature: the similarity is estimated within about 1 / sqrt(128) = 0.09."""
WORDS = 5
"""Words in a row that count as one feature."""
_HASHED_AT_ONCE = 4_096
_MISSES_WEIGHT = 0.9
"""How much more finding every similar pair matters than comparing few: candidates are checked anyway."""

_HIGHEST_INDEXED = 0.95
"""The index takes no threshold near 1; its candidates are checked against the real one."""


def check_installed() -> None:
    """See that the optional dependency is there.

    Raises:
        UserError: it is not.
    """
    try:
        import datasketch  # noqa: F401  (only whether it is there)
    except ImportError as error:
        raise UserError(
            "filter.duplicates=near needs datasketch: pip install 'docs-mlm[near-duplicates]', "
            "or choose filter.duplicates=exact"
        ) from error


def signature(text: str) -> bytes:
    """The MinHash of the word 5-grams in `text`, whatever its case."""
    words = text.lower().split()
    grams = (" ".join(words[i : i + WORDS]).encode() for i in range(max(1, len(words) - WORDS + 1)))
    sketch = _empty_sketch().copy()
    while some := list(islice(grams, _HASHED_AT_ONCE)):
        sketch.update_batch(some)
    return bytes(sketch.hashvalues.astype("<u4").tobytes())


def similar_to_earlier(signatures: Iterable[tuple[str, bytes]], threshold: float) -> list[str]:
    """The names of those that resemble one before them that stays, by an estimated Jaccard similarity."""
    from datasketch import MinHashLSH

    index = MinHashLSH(
        threshold=min(threshold, _HIGHEST_INDEXED),
        num_perm=PERMUTATIONS,
        weights=(1 - _MISSES_WEIGHT, _MISSES_WEIGHT),
    )
    kept: dict[str, bytes] = {}
    similar = []
    for name, values in signatures:
        sketch = _sketch(values)
        if any(sketch.jaccard(_sketch(kept[other])) >= threshold for other in index.query(sketch)):
            similar.append(name)
        else:
            index.insert(name, sketch)
            kept[name] = values
    return similar


@functools.cache
def _empty_sketch() -> "MinHash":
    from datasketch import MinHash

    return MinHash(num_perm=PERMUTATIONS, seed=1, scheme="affine32")


def _sketch(values: bytes) -> "MinHash":
    sketch = _empty_sketch().copy()
    sketch.hashvalues = np.frombuffer(values, dtype="<u4").astype(np.uint32)
    return sketch
