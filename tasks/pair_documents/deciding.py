"""Which of the candidates become pairs: no leaks, no query of too many targets, each query once."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tasks.pair_documents.candidates import NOWHERE, Candidates, Ints, code
from tasks.pair_documents.index import Flags, Sections
from tasks.pair_documents.settings import KINDS

_HEADING = KINDS.index("heading")


@dataclass(frozen=True, slots=True)
class Pairing:
    """What becomes of the candidates."""

    reasons: npt.NDArray[np.uint8]
    """(candidates,) why each is dropped, by number; 0 for those that stand for a pair."""
    chosen: Ints
    """(pairs,) the candidates that stand for a pair, in order."""
    offsets: Ints
    """(pairs + 1,) where each one's targets begin below."""
    firsts: Ints
    """(targets,) the first passage of each."""
    counts: Ints
    """(targets,) and how many passages there are of it."""

    def relevant(self, pair: int) -> list[int]:
        """The passages that answer a pair's query."""
        targets = range(self.offsets[pair], self.offsets[pair + 1])
        return [
            passage for t in targets for passage in range(self.firsts[t], self.firsts[t] + self.counts[t])
        ]


def decide(candidates: Candidates, sections: Sections, max_targets: int) -> Pairing:
    """Sort the candidates out; those of one query become one pair."""
    reasons = candidates.reasons.copy()
    _, query = np.unique(candidates.digests, return_inverse=True)
    _drop_common_headings(reasons, query, candidates, sections, max_targets)
    _drop_leaks(reasons, query, candidates.sections, sections)
    _drop_vague(reasons, query, candidates.sections, max_targets)
    kept = np.flatnonzero(reasons == 0)
    # Of each query the first of the first kind stands for all.
    order = kept[np.lexsort((kept, candidates.kinds[kept], query[kept]))]
    first = np.flatnonzero(np.diff(query[order], prepend=-1))
    stands = np.repeat(order[first], np.diff(first, append=len(order)))
    reasons[order[stands != order]] = code("merged")
    # The targets of each pair, in order, each once with the most of its passages.
    targets = np.lexsort((-candidates.passages[order], candidates.sections[order], stands))
    pair, section = stands[targets], candidates.sections[order][targets]
    once = (np.diff(pair, prepend=-1) != 0) | (np.diff(section, prepend=-1) != 0)
    chosen, offsets = np.unique(pair[once], return_index=True)
    return Pairing(
        reasons=reasons,
        chosen=chosen,
        offsets=np.append(offsets, np.count_nonzero(once)),
        firsts=sections.firsts[section[once]],
        counts=candidates.passages[order][targets][once],
    )


def _drop_common_headings(
    reasons: npt.NDArray[np.uint8], query: Ints, candidates: Candidates, sections: Sections, most: int
) -> None:
    """Headings that stand in more documents than a query may have targets, whether or not they have text."""
    asked = np.flatnonzero((candidates.kinds == _HEADING) & (candidates.sections != NOWHERE))
    documents = sections.documents[candidates.sections[asked]]
    common = _distinct(query[asked], documents, query) > most
    dropped = asked[common[query[asked]] & (reasons[asked] == 0)]
    reasons[dropped] = code("common_heading")


def _drop_leaks(reasons: npt.NDArray[np.uint8], query: Ints, leads: Ints, sections: Sections) -> None:
    """Queries that lead to both sides of the split, be it by a pair that is dropped for another reason.

    A training section with the words of a held-out passage is on both sides.
    """
    held, like = sections.held_out(), sections.like_held_out()
    somewhere = np.flatnonzero(leads != NOWHERE)
    to = leads[somewhere]
    queries = query.max(initial=-1) + 1

    def any_of(flags: Flags) -> Flags:
        return np.bincount(query[somewhere[flags[to]]], minlength=queries) > 0

    both = any_of(like) & any_of(~held)
    dropped = (reasons[somewhere] == 0) & both[query[somewhere]]
    reasons[somewhere[dropped & held[to]]] = code("held_out_query_in_training")
    reasons[somewhere[dropped & ~held[to]]] = code("training_query_of_held_out")


def _drop_vague(reasons: npt.NDArray[np.uint8], query: Ints, leads: Ints, most: int) -> None:
    """Queries that lead to more than so many sections."""
    kept = np.flatnonzero(reasons == 0)
    vague = _distinct(query[kept], leads[kept], query) > most
    reasons[kept[vague[query[kept]]]] = code("too_many_targets")


def _distinct(query: Ints, of: Ints, queries: Ints) -> Ints:
    """(queries,) how many different ones of `of` each query has."""
    order = np.lexsort((of, query))
    new = (np.diff(query[order], prepend=-1) != 0) | (np.diff(of[order], prepend=-1) != 0)
    return np.bincount(query[order][new], minlength=queries.max(initial=-1) + 1)
