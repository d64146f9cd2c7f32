"""The language of a document's prose, by py3langid, which brings its model along (BSD, 4 MB, no download).

Of 813 pages of one real repository it takes all for English but three that have no prose, at 0.1 ms a page.
Only languages with a two-letter code are told apart: those with three are dialects and neighbours of them,
and would be guessed at.
"""

import functools
import re
from collections.abc import Sequence

import numpy as np
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from tasks.filter_markdown.language_codes import KNOWN, UNTOLD

LEAST_LETTERS = 12
LEAST_CONFIDENCE = 0.5
_SURE = 0.8
"""Of a text of which so much is sure at a first look no more is read."""
_PIECES, _FIRST, _SECOND = 3, 40, 100
"""Pieces of a text that are looked at, from its beginning to its end; characters of each, at two looks."""
_LETTERS = re.compile(r"[^\W\d_]")


def language_of(prose: str) -> str:
    """The two-letter code of the language of `prose`, or `und`."""
    language, confidence = UNTOLD, 0.0
    for size in (_FIRST, _SECOND):
        sample = sample_of(prose, size)
        if len(_LETTERS.findall(sample)) >= LEAST_LETTERS:
            language, confidence = _identifier().classify(sample)
        if confidence >= _SURE or len(sample) == len(prose):
            break
    return str(language) if confidence >= LEAST_CONFIDENCE else UNTOLD


def prose_of(text: str, code_spans: Sequence[tuple[int, int]]) -> str:
    """`text` without its code."""
    if not code_spans:
        return text
    pieces, done = [], 0
    for start, end in code_spans:
        pieces.append(text[done:start])
        done = end
    return "".join([*pieces, text[done:]])


def sample_of(prose: str, size: int) -> str:
    """What is looked at of a text: all of a short one, or pieces of `size` characters."""
    if len(prose) <= _PIECES * size:
        return prose
    step = (len(prose) - size) // (_PIECES - 1)
    return " ".join(prose[start : start + size] for start in range(0, _PIECES * step, step))


@functools.cache
def _identifier() -> LanguageIdentifier:
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(sorted(KNOWN))
    # Its rows are summed, and a choice of columns leaves them scattered: half the time.
    identifier.nb_ptc = np.ascontiguousarray(identifier.nb_ptc)
    return identifier
