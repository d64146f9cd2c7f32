"""Hard negatives: passages that the words and the model take for right, and that are not."""

import numpy as np
import numpy.typing as npt

from tasks.embed_model.rows import TrainingPairs
from tasks.errors import UserError
from tasks.retrieval.bm25 import Words
from tasks.retrieval.dense import Encoder
from tasks.retrieval.fusion import fuse
from tasks.retrieval.passages import distinct
from tasks.retrieval.ranking import NOTHING, nearest

DEPTH = 50
"""Ranks that are looked at for each query."""


def hard_negatives(pairs: TrainingPairs, encoder: Encoder, count: int, seed: int) -> npt.NDArray[np.int64]:
    """(queries, count) the places of the best passages that do not answer each query.

    Ranked by reciprocal rank fusion of BM25 and the model. No passage with the words of one that answers is
    among them. Where fewer are found, passages drawn by the seed take their places.
    """
    texts, of_passage = distinct(pairs.texts)
    ids = of_passage if of_passage is not None else np.arange(len(pairs.texts))
    by_words, _ = Words.of(pairs.texts).rank(pairs.queries, DEPTH)
    vectors = encoder.passages(texts)
    near, _ = nearest(encoder.queries(pairs.queries), vectors, DEPTH, of_passage)
    ranked, _ = fuse(by_words, near, 2 * DEPTH)
    draw = np.random.default_rng(seed)
    found = np.empty((len(pairs), count), np.int64)
    for query, (places, answers) in enumerate(zip(ranked, pairs.answers, strict=True)):
        taken = {int(ids[place]) for place in answers}
        wrong: list[int] = []
        rest = draw.permutation(len(pairs.texts))[: 20 * count + 20]
        for place in (*places[places != NOTHING], *rest):
            if int(ids[place]) not in taken:
                wrong.append(int(place))
                taken.add(int(ids[place]))
            if len(wrong) == count:
                break
        if not wrong:
            raise UserError(
                "no passage is left that does not answer a query, so there are no hard negatives: give more "
                "documents, or set embed.hard_negatives 0"
            )
        wrong += [wrong[-1]] * (count - len(wrong))
        found[query] = wrong
    return found
