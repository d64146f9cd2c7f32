"""A linear probe tells pages apart by what stands in them, if the model's features do."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.evaluate_model import tags as module
from tasks.evaluate_model.given import NotMeasured
from tasks.evaluate_model.sampling import Document
from tasks.evaluate_model.tags import fields, folders, labelled, tags, told_apart
from tasks.retrieval.dense import Encoder
from tests.tasks.evaluate_model.making import documents, given_with, models


def test_the_first_folder_that_differs_is_the_class():
    """What all pages have in common tells nothing; a page in no folder has no class."""
    assert folders(["docs/a/x.md", "docs/b/c/y.md", "docs/a/z/w.md"]) == {
        "docs/a/x.md": "a",
        "docs/b/c/y.md": "b",
        "docs/a/z/w.md": "a",
    }
    assert folders(["a/x.md", "b/y.md", "top.md"]) == {"a/x.md": "a", "b/y.md": "b"}
    beside = ["README.md", *(f"docs/{name}/{n}.md" for name in "ab" for n in range(9)), "more/x.md"]
    assert folders(beside) == {path: path.split("/")[1] for path in beside[1:-1]}
    assert folders(["x.md"]) == folders([]) == folders(["a/b/x.md"]) == {}


def test_features_tell_folders_apart(monkeypatch):
    """Pages about servers are not those about clusters, even for a tiny model; both models are asked."""
    monkeypatch.setattr(module, "FEW", 5)
    found = tags(given_with())
    assert (found["field"], found["classes"], found["documents"]) == ("folder", 2, 8)
    assert found["after"] > 0.5
    assert found["difference"] == pytest.approx(found["after"] - found["before"])
    assert tags(given_with()) == found
    assert tags(replace(given_with(), base=None))["before"] is None


def test_a_field_of_the_front_matter_is_the_class(monkeypatch, tmp_path):
    """It is read from the documents as they were; what has none is left out."""
    monkeypatch.setattr(module, "FEW", 5)
    rows = [{"path": path, "content": text.encode()} for path, text in documents().items()]
    rows[0]["content"] = None
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "documents.parquet")
    file = {"": tmp_path / "documents.parquet"}
    found = fields(file, list(documents())[:4], "ms.topic")
    assert list(found.values()) == ["how-to", "concept", "concept"]
    told = tags(replace(given_with(tags="ms.topic"), documents=file))
    assert (told["field"], told["classes"], told["documents"]) == ("ms.topic", 2, 7)
    with pytest.raises(NotMeasured, match=r"of which ms\.topic is a field"):
        tags(given_with(tags="ms.topic"))
    with pytest.raises(NotMeasured, match="0 classes"):
        tags(replace(given_with(tags="author"), documents=file))


def test_classes_need_documents_on_both_sides():
    """One that is only trained, or only asked about, or seldom, is none."""
    labels = {f"{name}{n}": name for name in "abcd" for n in range(40)}
    train = [
        Document(f"{name}{n}", "") for name, count in (("a", 9), ("b", 5), ("c", 4)) for n in range(count)
    ]
    asked = [Document(f"{name}{n}", "") for name in "abd" for n in range(20, 30)]
    kept, told = labelled(train, asked, labels)
    assert {page.path[0] for page in kept} == {page.path[0] for page in told} == {"a", "b"}
    with pytest.raises(NotMeasured, match="there are 1 classes"):
        labelled(train, asked[:10], labels)
    with pytest.raises(NotMeasured, match="2 held-out documents"):
        labelled(train, [asked[0], asked[10]], labels)


def test_the_probe_learns_from_training_documents_alone():
    """With labels of chance it tells held-out pages no better than chance."""
    pages = [Document(path, text) for path, text in documents(60).items()]
    random = np.random.default_rng(0)
    labels = {page.path: str(random.integers(2)) for page in pages}
    encoder = Encoder.load(models()[1])
    assert told_apart(encoder, pages[:30], pages[:30], labels, 0).mean() >= 0.75, "these it has seen"
    assert 0.2 < told_apart(encoder, pages[:30], pages[30:], labels, 0).mean() < 0.7
