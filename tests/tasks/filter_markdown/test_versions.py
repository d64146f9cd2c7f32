"""A repository that holds several versions of its pages: what is held out is not among what is trained on."""

import random
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from tasks.filter_markdown.dropping import EVAL, TRAIN, position_of
from tasks.filter_markdown.settings import FilterSettings
from tests.tasks.filter_markdown.test_corpus import run, snapshot

WORDS = [
    f"{first}{second}"
    for first in ("al", "be", "co", "du", "en", "fi")
    for second in ("ra", "sto", "mil", "ne")
]
"""Few words, so that pages of their own share some of what they say."""
NEAR = 0.85
Texts = dict[str, str]


def page(rng: random.Random, words: int) -> list[str]:
    """A page of paragraphs."""
    return [f"{rng.choice(WORDS)}{rng.randrange(30)}" for _ in range(words)]


def edited(rng: random.Random, words: list[str]) -> list[str]:
    """The page some weeks later: a word in 250 is another, and a sentence is new."""
    found = [rng.choice(WORDS) if rng.random() < 0.004 else word for word in words]
    place = rng.randrange(len(found))
    return [*found[:place], *page(rng, 3), *found[place:]]


def repository(pages: int) -> Texts:
    """Three versions of every page, each edited from the one before."""
    rng, texts = random.Random(7), Texts()
    for number in range(pages):
        words = page(rng, rng.randrange(150, 600))
        for version in ("1.0", "1.1", "latest"):
            texts[f"docs/{version}/guide-{number:03}.md"] = " ".join(words)
            words = edited(rng, words)
    return texts


PLANTED = {
    "moved": ("docs/1.0/guide-004.md", "archive/old-name.md"),
    "untranslated": ("docs/1.1/guide-007.md", "de/docs/guide-007.md"),
    "templated": ("docs/latest/guide-009.md", "zz/generated.md"),
}
"""Copies elsewhere in the tree, which sort before and behind what they are of."""


def planted(texts: Texts) -> Texts:
    """The repository with near copies of some pages in other folders."""
    rng = random.Random(3)
    return texts | {copy: " ".join(edited(rng, texts[of].split())) for of, copy in PLANTED.values()}


def grams(text: str) -> set[tuple[str, ...]]:
    """The word 5-grams of a text."""
    words = text.lower().split()
    return {tuple(words[i : i + 5]) for i in range(len(words) - 4)}


def near_pairs(texts: Texts) -> list[tuple[str, str]]:
    """All pairs of near copies, by the exact Jaccard similarity of their 5-grams."""
    found = {path: grams(text) for path, text in texts.items()}
    return [
        (one, other)
        for one, other in combinations(found, 2)
        if len(found[one] & found[other]) >= NEAR * len(found[one] | found[other])
    ]


def sides(folder: Path, texts: Texts, **chosen: Any) -> tuple[Any, dict[str, str]]:
    """The counts, and the split of every kept document."""
    documents = snapshot(folder, {path: text.encode() for path, text in sorted(texts.items())})
    counts, rows = run(folder, documents, FilterSettings(**chosen))
    return counts, {row["path"]: row["split"] for row in rows}


@pytest.fixture(scope="module")
def texts() -> Texts:
    """Eighty pages in three versions, and the planted copies."""
    return planted(repository(80))


def test_no_held_out_document_has_a_near_copy_in_training(tmp_path: Path, texts: Texts) -> None:
    """Of all pairs with a similarity of 0.85 and more none is on both sides; by paths alone many would be."""
    pairs = near_pairs(texts)
    assert {frozenset(pair) for pair in PLANTED.values()} <= {frozenset(pair) for pair in pairs}
    assert len(pairs) > 150
    counts, split = sides(tmp_path, texts)
    assert [pair for pair in pairs if split[pair[0]] != split[pair[1]]] == []
    by_path = {path: position_of(path) < 0.1 for path in texts}
    assert sum(by_path[one] != by_path[other] for one, other in pairs) > 20, "else this would prove nothing"
    assert 0.05 < counts.eval_documents / counts.kept < 0.2
    assert (counts.near_groups, counts.near_documents) == (80, 243)
    assert counts.largest_group == 4


def test_one_of_each_page_is_kept_if_asked(tmp_path: Path, texts: Texts) -> None:
    """With `near` the first by path of every group stays, and no near copy of it."""
    counts, split = sides(tmp_path, texts, duplicates="near")
    assert counts.dropped_by_reason == {"near_duplicate": 243 - 80}
    assert near_pairs({path: texts[path] for path in split}) == []
    assert {"archive/old-name.md", "de/docs/guide-007.md", "docs/1.0/guide-009.md"} <= set(split)


def test_a_document_without_near_copies_stays_on_its_side(tmp_path: Path, texts: Texts) -> None:
    """Whatever copies are there beside it, its path alone decides."""
    rng = random.Random(11)
    alone = {f"single/{number}.md": " ".join(page(rng, 200)) for number in range(100)}
    _, split = sides(tmp_path, texts | alone)
    assert {path: split[path] for path in alone} == {
        path: EVAL if position_of(path) < 0.1 else TRAIN for path in alone
    }
