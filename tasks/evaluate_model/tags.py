"""A linear probe: what a page's frozen features tell of its folder, or of a field of its front matter.

A page's features are the mean-pooled vector of its beginning. A logistic regression learns the classes from
training documents, and is asked about held-out ones. Without a field, the class is the first folder of the
path that is not the same for 9 in 10 pages. Classes count that have at least 5 training documents of the
sample and one held-out one.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tasks.evaluate_model.differences import before_and_after
from tasks.evaluate_model.given import Given, NotMeasured
from tasks.evaluate_model.sampling import Document, beginning, read_sample
from tasks.front_matter import front_matter_value
from tasks.retrieval.dense import Encoder
from tasks.retrieval.figures import Floats
from tasks.stage.progress import tell

LEAST = 5
"""Training documents of a class."""
FEW = 10
"""Held-out documents that are asked about, at least."""
MOST_DOCUMENTS = 2_000
"""Training documents of the sample, at most."""
SHARED = 0.9
"""Of the pages, a share that lies in one folder and so tells nothing of them."""
READ = 128
"""Tokens of a page's beginning, of which its features are."""


def tags(given: Given) -> dict[str, Any]:
    """The accuracy of a linear probe on both models' features, on held-out documents.

    Raises:
        NotMeasured: there are too few documents or classes, or the field cannot be read.
    """
    settings = given.settings
    pages = {split: _beginnings(given, split) for split in ("train", "eval")}
    paths = [page.path for some in pages.values() for page in some]
    labels = folders(paths) if settings.tags is None else fields(given.documents, paths, settings.tags)
    train, held_out = labelled(pages["train"], pages["eval"], labels)
    hits = {}
    for name, folder in (("before", given.base), ("after", given.trained)):
        if folder is not None:
            tell(f"Told pages apart, {name} the training")
            hits[name] = told_apart(Encoder.load(folder), train, held_out, labels, settings.seed)
    found = before_and_after(
        hits.get("before"), hits["after"], [page.path for page in held_out], settings.seed
    )
    classes = {labels[page.path] for page in train}
    return found | {
        "field": settings.tags or "folder",
        "classes": len(classes),
        "documents": len(held_out),
    }


def folders(paths: Sequence[str]) -> dict[str, str]:
    """The first folder of each path below the one that most pages share; pages that lie in none are left out.

    A folder is shared that holds at least 9 in 10 of the pages that are left, as `docs` does beside a README.
    """
    inside = {path: path.split("/")[:-1] for path in paths}
    while inside := {path: parts for path, parts in inside.items() if parts}:
        (name, count), *_ = Counter(parts[0] for parts in inside.values()).most_common(1)
        if count < SHARED * len(inside):
            break
        inside = {path: parts[1:] for path, parts in inside.items() if parts[0] == name}
    return {path: parts[0] for path, parts in inside.items()}


def fields(documents: Mapping[str, Path], paths: Sequence[str], name: str) -> dict[str, str]:
    """By path the value of a field of the front matter; pages without it are left out.

    Args:
        documents: the files of `DocsSnapshot` by what their documents' paths begin with.

    Raises:
        NotMeasured: the documents as they were are not at hand.
    """
    if not documents:
        raise NotMeasured(f"the front matter, of which {name} is a field, is not at hand")
    found, wanted = {}, set(paths)
    for before, file in documents.items():
        for path, content in _raw(file):
            if before + path in wanted and content is not None:
                source = content.decode("utf-8", errors="replace")
                if value := front_matter_value(source, name):
                    found[before + path] = value
    return found


def labelled(
    train: Sequence[Document], held_out: Sequence[Document], labels: Mapping[str, str]
) -> tuple[list[Document], list[Document]]:
    """The documents of the classes that count.

    Raises:
        NotMeasured: there are fewer than two of them, or too few held-out documents.
    """
    trained = Counter(labels[page.path] for page in train if page.path in labels)
    asked = {labels[page.path] for page in held_out if page.path in labels}
    classes = {name for name, count in trained.items() if count >= LEAST and name in asked}
    if len(classes) < 2:
        raise NotMeasured(
            f"there are {len(classes)} classes of at least {LEAST} training documents and a held-out one, "
            "and a probe needs 2"
        )
    kept, told = ([page for page in some if labels.get(page.path) in classes] for some in (train, held_out))
    if len(told) < FEW:
        raise NotMeasured(f"{len(told)} held-out documents are of these classes, and a probe needs {FEW}")
    return kept, told


def told_apart(
    encoder: Encoder,
    train: Sequence[Document],
    held_out: Sequence[Document],
    labels: Mapping[str, str],
    seed: int,
) -> Floats:
    """(held-out documents,) 1 where the class is told right, else 0."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    features, asked = (encoder.passages([page.text for page in some]) for some in (train, held_out))
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000, random_state=seed))
    probe.fit(features, [labels[page.path] for page in train])
    answers = np.array([labels[page.path] for page in held_out])
    hits: Floats = (probe.predict(asked) == answers).astype(np.float64)
    return hits


def _raw(file: Path) -> Iterator[tuple[str, bytes | None]]:
    """The paths of a snapshot's documents and their bytes."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(file) as stored:
        for batch in stored.iter_batches(64, columns=["path", "content"]):
            yield from zip(batch["path"].to_pylist(), batch["content"].to_pylist(), strict=True)


def _beginnings(given: Given, split: str) -> list[Document]:
    """The beginnings of a sample of documents, which together have no more tokens than a probe may read."""
    settings = given.settings
    most = MOST_DOCUMENTS if settings.max_tokens is None else max(1, settings.max_tokens // (2 * READ))
    documents = read_sample(given.corpus, split, None, settings.seed, documents=min(most, MOST_DOCUMENTS))
    return [Document(page.path, beginning(page.text, READ)) for page in documents]
