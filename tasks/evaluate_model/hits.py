"""A few queries and the first hit of each before and after: the part of a probe that a person can feel."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tasks.retrieval.probe import Asked, drawn

SHOWN = 6
LONGEST = 160
"""Characters of a passage that are shown."""
_WANTED = {"gained": 3, "lost": 1, "kept": 1, "missed": 1}
"""Queries of each sort that are shown, where there are as many; more gained ones where others lack."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a passage stands, and its text."""

    path: str
    heading: str
    text: str


def sample_hits(asked: Asked, before: str, after: str, places: Mapping[int, Place]) -> list[dict[str, Any]]:
    """Some queries with the first hits of two systems: those that changed, and one that got worse if any.

    Which ones follows from the queries alone. They are of different documents, and of kinds by turns.
    """
    queries = asked.queries
    by_sort: dict[str, list[int]] = {sort: [] for sort in _WANTED}
    for number in sorted(range(len(queries)), key=lambda one: drawn(queries.texts[one], 0)):
        was, is_now = (asked.first[name][number] in queries.relevant[number] for name in (before, after))
        sort = {(0, 1): "gained", (1, 0): "lost", (1, 1): "kept", (0, 0): "missed"}[was, is_now]
        by_sort[sort].append(number)
    taken: list[int] = []
    for sort, count in [*_WANTED.items(), *((sort, SHOWN) for sort in _WANTED)]:
        for _ in range(min(count, SHOWN - len(taken))):
            kinds = Counter(queries.kinds[number] for number in taken)
            paths = {queries.documents[number] for number in taken}
            free = [number for number in by_sort[sort] if queries.documents[number] not in paths]
            if free:
                taken.append(min(free, key=lambda number: kinds[queries.kinds[number]]))
    return [
        {
            "query": queries.texts[number],
            "kind": queries.kinds[number],
            "path": queries.documents[number],
            "before": _hit(before, asked.first[before][number], queries.relevant[number], places),
            "after": _hit(after, asked.first[after][number], queries.relevant[number], places),
        }
        for number in taken
    ]


def _hit(system: str, number: int, relevant: list[int], places: Mapping[int, Place]) -> dict[str, Any] | None:
    """A system's first hit; None where it found nothing."""
    if number not in places:
        return None
    place = places[number]
    return {
        "system": system,
        "path": place.path,
        "heading": place.heading,
        "text": shortened(place.text),
        "right": number in relevant,
    }


def shortened(text: str, longest: int = LONGEST) -> str:
    """The beginning of a text in one line, cut between words."""
    line = " ".join(text.split())
    return line if len(line) <= longest else line[: longest - 1].rsplit(" ", 1)[0] + "…"
