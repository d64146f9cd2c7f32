"""Several corpora as one: every document keeps its split, and a copy of another source's document is dropped.

A document's path begins with its source's name, `owner/docs:articles/a.md`, so that paths stay distinct.
Sources come in the order of their names, and of copies the first stays, so the order in which a user lists
them does not matter. What is held out of a source's own corpus is held out here too, but for near copies
of another source's documents, which follow the first.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from tasks.filter_markdown.card import corpus_card
from tasks.filter_markdown.corpus import FilterCounts, write_corpus
from tasks.filter_markdown.dropping import EVAL, Fingerprints, decide
from tasks.filter_markdown.look import SAMPLES, Look, ResidueCount
from tasks.filter_markdown.near_duplicates import fingerprints
from tasks.filter_markdown.rows import read_tables, with_column
from tasks.filter_markdown.settings import FilterSettings
from tasks.records import Corpus, DocsSnapshot
from tasks.stage.stage import stage
from tasks.stage.target import Target

ACROSS = "_across_sources"
"""Ends the reason of a document that is a copy of another source's."""


def joint_path(source: str, path: str) -> str:
    """What a document of a source is called in a joint corpus."""
    return f"{source}:{path}"


def joint_tables(corpora: Mapping[str, Path], file: str) -> Iterator[pa.Table]:
    """The rows of `file` in each of the folders, with joint paths, in their order, some at a time."""
    for source, folder in sorted(corpora.items(), key=lambda item: joint_path(item[0], "")):
        for table in read_tables(folder / file):
            paths = [joint_path(source, path) for path in table["path"].to_pylist()]
            yield with_column(table, "path", paths)


def join_files(corpora: Mapping[str, Path], target: Path, settings: FilterSettings) -> FilterCounts:
    """Write the corpus and the list of dropped documents of the folders in `corpora`, by source."""
    documents, evaluated = Fingerprints(), bytearray()
    for table in joint_tables(corpora, Corpus.FILE):
        paths, texts, splits = (table[name].to_pylist() for name in ("path", "text", "split"))
        for path, split, found in zip(paths, splits, fingerprints(texts), strict=True):
            documents.add(path, *found)
            evaluated.append(split == EVAL)
    # A group goes where its first document is: of no training document a near copy is held out.
    decided = decide(documents, settings, np.frombuffer(evaluated, np.uint8) == 1, ACROSS)
    dropped = [row for table in joint_tables(corpora, Corpus.DROPPED) for row in table.to_pylist()]
    counts = write_corpus(target, joint_tables(corpora, Corpus.FILE), decided, dropped, settings)
    joint_look(corpora, decided.examples).write(target)
    return counts


def joint_look(corpora: Mapping[str, Path], examples: list[dict[str, Any]]) -> Look:
    """What there is to see of all: samples of each source in turn, with joint paths, and all marks."""
    of_each, left = [], ResidueCount()
    for name, folder in sorted(corpora.items()):
        look = Look.read(folder / Corpus.LOOK)
        of_each.append([replace(one, path=joint_path(name, one.path)) for one in look.samples])
        left.merge(look.residue)
    turns = chain.from_iterable(zip_longest(*of_each))
    samples = [sample for sample in turns if sample is not None][:SAMPLES]
    return Look(samples=samples, residue=left.by_mark(), groups=examples)


def recipe(settings: FilterSettings, parts: Mapping[str, str]) -> dict[str, Any]:
    """What goes into a joint corpus' key: the settings, and the keys of the sources' corpora by name."""
    return {**settings.keyed(), "parts": dict(parts)}


@stage(Corpus, version=4, parents=(DocsSnapshot,), recipe=recipe, card=corpus_card, bar="join")
def join_corpora(
    target: Target, snapshot: DocsSnapshot, parts: dict[str, Target], settings: FilterSettings
) -> Corpus:
    """Put the corpora of several sources into one, without the copies that they have of each other."""
    folders = {name: target.fetch(Corpus.from_json(part.made())) for name, part in parts.items()}
    with target.building() as folder:
        counts = join_files(folders, folder, settings)
        return target.commit(folder, Corpus, asdict(counts), of=[snapshot])
