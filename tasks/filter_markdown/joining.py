"""Several corpora as one: every document keeps its split, and a copy of another source's document is dropped.

A document's path begins with its source's name, `owner/docs:articles/a.md`, so that paths stay distinct.
Sources come in the order of their names, and of copies the first stays, so the order in which a user lists
them does not matter. What is held out of a source's own corpus is held out here too.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any

from tasks.filter_markdown import near_duplicates
from tasks.filter_markdown.card import corpus_card
from tasks.filter_markdown.corpus import FilterCounts, Row, read_rows, write_corpus
from tasks.filter_markdown.dropping import Fingerprint, copies, digest_of
from tasks.filter_markdown.settings import FilterSettings
from tasks.records import Corpus, DocsSnapshot
from tasks.stage.stage import stage
from tasks.stage.target import Target

ACROSS = "_across_sources"
"""Ends the reason of a document that is a copy of another source's."""


def joint_path(source: str, path: str) -> str:
    """What a document of a source is called in a joint corpus."""
    return f"{source}:{path}"


def joint_rows(corpora: Mapping[str, Path], file: str) -> Iterator[list[Row]]:
    """The rows of `file` in each of the folders, with joint paths, in their order, some at a time."""
    for source, folder in sorted(corpora.items(), key=lambda item: joint_path(item[0], "")):
        for rows in read_rows(folder / file):
            yield [row | {"path": joint_path(source, row["path"])} for row in rows]


def join_files(corpora: Mapping[str, Path], target: Path, settings: FilterSettings) -> FilterCounts:
    """Write the corpus and the list of dropped documents of the folders in `corpora`, by source."""
    near = settings.duplicates == "near"
    if near:
        near_duplicates.check_installed()
    fingerprints: list[Fingerprint] = []
    splits: dict[str, str] = {}
    of_text: dict[bytes, str] = {}
    for rows in joint_rows(corpora, Corpus.FILE):
        for row in rows:
            path, text = row["path"], row["text"]
            signature = near_duplicates.signature(text) if near else None
            fingerprints.append(Fingerprint(path=path, digest=digest_of(text), signature=signature))
            # Where copies are kept they follow the first: none of a training document is ever held out.
            splits[path] = of_text.setdefault(fingerprints[-1].digest, row["split"])
    reasons = {path: reason + ACROSS for path, reason in copies(fingerprints, settings).items()}
    dropped = chain.from_iterable(joint_rows(corpora, Corpus.DROPPED))
    return write_corpus(target, joint_rows(corpora, Corpus.FILE), reasons, splits, dropped)


def recipe(settings: FilterSettings, parts: Mapping[str, str]) -> dict[str, Any]:
    """What goes into a joint corpus' key: the settings, and the keys of the sources' corpora by name."""
    return {**settings.keyed(), "parts": dict(parts)}


@stage(Corpus, version=1, parents=(DocsSnapshot,), recipe=recipe, card=corpus_card, bar="join")
def join_corpora(
    target: Target, snapshot: DocsSnapshot, parts: dict[str, Target], settings: FilterSettings
) -> Corpus:
    """Put the corpora of several sources into one, without the copies that they have of each other."""
    folders = {name: target.fetch(Corpus.from_json(part.made())) for name, part in parts.items()}
    with target.building() as folder:
        counts = join_files(folders, folder, settings)
        return target.commit(folder, Corpus, asdict(counts), of=[snapshot])
