"""What similar texts share much of: MinHash signatures of word 5-grams, a byte a number (rensa's sketches).

A signature takes 128 bytes whatever the text's length. From how many of its numbers two texts have in common
follows the Jaccard similarity of their 5-grams, within about 0.03 where that is 0.85.
"""

import functools
import re
from collections.abc import Sequence
from hashlib import blake2b, sha256

import numpy as np
import numpy.typing as npt
from rensa import RMinHash

Signatures = npt.NDArray[np.uint8]
"""(documents, PERMUTATIONS), a row a document."""
Bytes = npt.NDArray[np.uint8]
Hashes = npt.NDArray[np.uint64]
DIGEST_BYTES = 16
PERMUTATIONS = 128
"""Numbers in a signature: a similarity J is estimated within sqrt(J (1 - J) / 128)."""
WORDS = 5
"""Words in a row that count as one feature."""
_SEED = 1
_CHANCE = 1 / 256
"""Share of the numbers that two texts have in common by chance, for a byte is kept of each."""
_COMPARED_AT_ONCE = 1 << 16
_BASE = 0x9E3779B97F4A7C15
_SPACE = 32
"""The byte of a space; all below it are white space too, or no text."""
_LETTERS_ALONE = "\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
"""Letters of scripts that put no space between words (Thai, Lao, Tibetan, Burmese, Khmer, Japanese, Chinese):
each counts as a word."""
_UNSPACED = re.compile(f"[{_LETTERS_ALONE}\U00020000-\U0003ffff]")
_OTHER_SPACES = re.compile("[\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]")


def fingerprints(texts: Sequence[str]) -> list[tuple[bytes, bytes]]:
    """Of each text a digest that is equal for texts that are the same but for white space, and a signature.

    A signature is the MinHash of the word 5-grams in a text, whatever its case and white space. Those of many
    texts at once take an eighth of the time of as many by themselves.
    """
    letters = [letters_of(text) for text in texts]
    grams = [word_grams(one) for one in letters]
    sketch = RMinHash.digest_matrix_from_token_hash_sets(grams, PERMUTATIONS, _SEED)
    rows = np.array(sketch.to_rows(), np.uint32).astype(np.uint8)
    digests = (sha256(one.tobytes()).digest()[:DIGEST_BYTES] for one in letters)
    return [(digest, row.tobytes()) for digest, row in zip(digests, rows, strict=True)]


def letters_of(text: str) -> Bytes:
    """The bytes of `text` with one space between words, before the first and behind the last."""
    if not text.isascii():
        text = _UNSPACED.sub(r" \g<0> ", _OTHER_SPACES.sub(" ", text))
    letters = np.frombuffer(f" {text} ".encode("utf-8", "surrogatepass"), np.uint8)
    is_space = letters <= _SPACE
    first_of_spaces = np.empty(len(letters), bool)
    first_of_spaces[0] = True
    np.logical_not(is_space[1:] & is_space[:-1], out=first_of_spaces[1:])
    return np.maximum(letters[first_of_spaces], _SPACE)


def word_grams(letters: Bytes) -> Hashes:
    """(words - 4,) a hash of each five words in a row; one of all words where there are fewer.

    It is that of Rabin and Karp, of all at once: of the sums of the bytes' hashes, each times a power of the
    base, the difference from one place to another, back from the power of the first place.
    """
    powers, inverses = _powers(1 << len(letters).bit_length())
    sums = np.cumsum(_letter_hashes()[letters] * powers[: len(letters)], dtype=np.uint64)
    spaces = np.flatnonzero(letters == _SPACE)
    words = min(WORDS, len(spaces) - 1)
    begins, ends = spaces[: len(spaces) - words], spaces[words:]
    grams: Hashes = (sums[ends] - sums[begins]) * inverses[begins]
    return grams ^ (grams >> np.uint64(32))


@functools.cache
def _letter_hashes() -> Hashes:
    """(256,) a number for each byte, the same for a letter of ASCII in either case."""
    lower = bytes(range(256)).lower()
    found = [int.from_bytes(blake2b(lower[byte : byte + 1]).digest()[:8], "big") for byte in range(256)]
    return np.array(found, np.uint64)


@functools.lru_cache(maxsize=2)
def _powers(count: int) -> tuple[Hashes, Hashes]:
    """(count,) the powers of the base modulo 2^64, and their inverses."""
    bases = (_BASE, pow(_BASE, -1, 1 << 64))
    powers, inverses = (np.multiply.accumulate(np.full(count, base, np.uint64)) for base in bases)
    return powers, inverses


def similarity(
    signatures: Signatures, some: npt.NDArray[np.int64], others: npt.NDArray[np.int64]
) -> npt.NDArray[np.float32]:
    """(pairs,) the estimated Jaccard similarity of each of `some` documents with its one of `others`."""
    found = np.empty(len(some), np.float32)
    for first in range(0, len(some), _COMPARED_AT_ONCE):
        part = slice(first, first + _COMPARED_AT_ONCE)
        equal = np.count_nonzero(signatures[some[part]] == signatures[others[part]], axis=1)
        found[part] = (equal / PERMUTATIONS - _CHANCE) / (1 - _CHANCE)
    return found
