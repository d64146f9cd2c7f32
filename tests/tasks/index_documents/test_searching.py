"""A published model's documents are indexed once, and searched on any machine from the store alone."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from tasks.errors import MissingStoreError, UserError
from tasks.index_documents import searching
from tasks.index_documents.choosing import best_mode, vectors_of
from tasks.index_documents.searching import searchable, url_of
from tasks.index_documents.stage import index_documents, index_target
from tasks.records import Pairs, PublishedModel, SearchIndex
from tasks.store.folders import Store
from tests.tasks.index_documents.published import (
    COMMIT,
    LINES,
    PASSAGES,
    RAW,
    SOURCE,
    passages,
    publish,
    snapshot,
)  # fmt: skip
from tests.tasks.retrieval.models import save_tiny_retriever

ROTATE = f"https://github.com/owner/docs/blob/{COMMIT}/docs/keys.md?plain=1#L10"


@pytest.fixture(scope="module")
def retriever(tmp_path_factory):
    """A tiny retrieval model."""
    return save_tiny_retriever(tmp_path_factory.mktemp("retriever"))


@pytest.fixture
def store(tmp_path):
    """An empty store."""
    return Store(str(tmp_path / "store"))


def said(store, model, work_dir):
    """A model's documents, and what was said while they were made ready."""
    words: list[str] = []
    return searchable(store, model, work_dir, words.append), words


def test_an_index_is_made_once_and_stored(store, tmp_path):
    """The second search says nothing, and neither does one on another machine."""
    model = publish(store)
    asked, words = said(store, model, tmp_path / "work")
    assert words == [f"Indexing 3 passages of {SOURCE}, once ..."]
    (first, *_) = asked.search("how do I rotate a key", 2, asked.mode("auto"))
    assert (first.path, first.heading, first.url) == ("docs/keys.md", "Rotate a key", ROTATE)
    assert first.text == "To rotate a key, see it."
    for work in ("work", "other"):
        again, words = said(store, model, tmp_path / work)
        assert words == []
        assert again.search("how do I rotate a key", 2, "bm25")[0] == first
    assert asked.record.passages == 3
    assert store.manifest(asked.record.uri).ancestors.keys() == model.ancestors.keys() | {"models"}


def test_every_passage_leads_to_its_line(store, tmp_path):
    """In the raw document, and not in the cleaned text."""
    asked, _ = said(store, publish(store), tmp_path / "work")
    for (path, heading, text, _), line in zip(PASSAGES, LINES, strict=True):
        (hit, *_) = asked.search(f"{heading} {text}", 1, "bm25")
        assert hit.url == f"https://github.com/owner/docs/blob/{COMMIT}/{path}?plain=1#L{line}"


def test_without_the_raw_documents_links_lead_to_files(store, tmp_path):
    """The store may have lost them."""
    model = publish(store)
    store.remove(model.ancestors["documents"]["uri"])
    asked, _ = said(store, model, tmp_path / "work")
    (hit,) = asked.search("cluster", 5, "bm25")
    assert hit.url == f"https://github.com/owner/docs/blob/{COMMIT}/docs/nodes.md"


def test_a_joint_model_links_to_each_source(store, tmp_path):
    """Paths begin with their source's name; one of a folder has no page."""
    one = snapshot(store, {"a.md": RAW["docs/keys.md"]}, key="1" * 32)
    two = snapshot(store, {"b.md": RAW["docs/nodes.md"]}, key="2" * 32, source="notes")
    parts = [
        {"name": name, "source": part["source"], "commit_sha": COMMIT, "licenses": [], "key": part["key"]}
        for name, part in (("owner/docs", one), ("notes", two))
    ]
    documents = {"source": "docs+notes", "commit_sha": "sha256:0", "found": 2, "read": 2, "bytes_read": 1}
    documents |= {"licenses": [], "parts": parts, "uri": store.uri("documents", "3" * 32), "key": "3" * 32}
    rows = [
        ("owner/docs:a.md", "Rotate a key", PASSAGES[1][2], 0),
        ("notes:b.md", "Nodes", PASSAGES[2][2], 0),
    ]
    asked, _ = said(
        store, publish(store, documents=documents, pairs=passages(store, rows)), tmp_path / "work"
    )
    (key,), (node,) = asked.search("rotate", 5, "bm25"), asked.search("cluster", 5, "bm25")
    assert (key.path, key.url) == (
        "owner/docs:a.md",
        f"https://github.com/owner/docs/blob/{COMMIT}/a.md?plain=1#L10",
    )
    assert (node.path, node.url) == ("notes:b.md", None)
    assert url_of(replace(asked.record, source=SOURCE), "x.md", None) is None  # the joint commit is none


@pytest.mark.parametrize(
    ("best", "has_retriever", "vectors", "mode"),
    [
        (None, False, None, "bm25"),
        (None, True, "retrieval", "hybrid"),
        ("bm25", False, None, "bm25"),
        ("bm25", True, "retrieval", "bm25"),
        ("retrieval", True, "retrieval", "dense"),
        ("hybrid", True, "retrieval", "hybrid"),
        ("adapted", False, ".", "dense"),
        ("hybrid_adapted", False, ".", "hybrid"),
        ("hybrid", False, ".", "hybrid"),
        ("base", False, None, "bm25"),
    ],
)
def test_the_probe_chooses_what_is_searched(store, retriever, best, has_retriever, vectors, mode):
    """Vectors are the retrieval model's, or the adapted one's where that found most."""
    model = publish(store, retriever=retriever if has_retriever else None, best=best)
    assert (vectors_of(model), best_mode(model)) == (vectors, mode)


@pytest.mark.parametrize("best", ["adapted", "hybrid"])
def test_vectors_are_searched_with_the_models_files_alone(store, retriever, tmp_path, best):
    """Of the retrieval model, or of the published one itself, on a machine that has nothing but the store."""
    model = publish(store, retriever=retriever if best == "hybrid" else None, best=best)
    said(store, model, tmp_path / "work")
    asked, words = said(store, model, tmp_path / "second")
    assert words == []
    hits = asked.search(PASSAGES[2][2], 3, asked.mode("auto"))
    assert {hit.path for hit in hits} == {"docs/keys.md", "docs/nodes.md"}
    (copied,) = (tmp_path / "second" / "fetched" / "searched").glob("*/")
    assert [path.name for path in copied.iterdir() if path.is_dir()] == ["retrieval"] * (best == "hybrid")
    if best == "adapted":
        assert asked.search(PASSAGES[2][2], 1, "dense")[0].path == "docs/nodes.md"


def test_a_damaged_copy_is_fetched_again(store, tmp_path):
    """And a file that is no part of it goes."""
    model = publish(store)
    asked, _ = said(store, model, tmp_path / "work")
    hits = asked.search("rotate", 5, "bm25")
    (folder,) = (tmp_path / "work" / "fetched" / "index").glob("*/")
    (folder / "passages.parquet").write_bytes(b"torn")
    (folder / "evil.py").write_text("")
    assert asked.search("rotate", 5, "bm25") == hits
    assert not (folder / "evil.py").exists()


def test_what_is_copied_is_hashed_once(store, tmp_path, monkeypatch):
    """A second query reads the copy as it is, as long as nobody has written to it."""
    asked, _ = said(store, publish(store), tmp_path / "work")
    asked.search("rotate", 5, "bm25")
    monkeypatch.setattr("tasks.index_documents.copies.is_intact", None)
    assert asked.search("rotate", 5, "bm25")


def test_where_the_store_takes_nothing_the_index_stays_here(store, tmp_path, monkeypatch):
    """It is made once, all the same."""
    model, check = publish(store), Store.check

    def refuse(self, *, write):
        if write and self.url == store.url:
            raise MissingStoreError("permission denied")
        check(self, write=write)

    monkeypatch.setattr(Store, "check", refuse)
    asked, words = said(store, model, tmp_path / "work")
    assert words[1] == f"The index is kept in {tmp_path / 'work' / searching.UNSTORED}: permission denied"
    assert asked.search("rotate", 5, "bm25")[0].url == ROTATE
    assert said(store, model, tmp_path / "work")[1] == []
    assert not (tmp_path / "store" / "index").exists()


def test_any_machine_computes_the_same_key(store, tmp_path):
    """From the model's manifest alone; other passages or another model are another index."""
    model = publish(store)
    target = index_target(store, model, tmp_path)
    assert (target.action, target.stage) == ("run", "index")
    keys = {PublishedModel: model.key, Pairs: "b" * 32}
    assert target.key == index_documents.key(index_documents.recipe(), keys)
    assert target.key != index_target(store, replace(model, key="c" * 32), tmp_path).key
    made = index_documents.make(target, PublishedModel.from_json(model.record))
    assert isinstance(made, SearchIndex)
    again = index_target(store, model, tmp_path)
    assert (again.action, again.record) == ("reuse", made.as_json())


def test_what_cannot_be_searched_is_told(store, tmp_path):
    """A model of an earlier version, lost passages, no vectors: a line each that says what to do."""
    with pytest.raises(UserError, match=r"run docs-mlm run again: this model's documents were not kept"):
        said(store, publish(store, is_old=True), tmp_path)
    model = publish(store, key="f" * 32)
    store.remove(model.ancestors["pairs"]["uri"])
    with pytest.raises(UserError, match=r"has lost the passages of version .* run docs-mlm run again"):
        said(store, model, tmp_path)
    asked, _ = said(store, publish(store, key="c" * 32), tmp_path)
    for mode in ("dense", "hybrid"):
        with pytest.raises(UserError, match=f"--mode {mode} needs vectors.*--mode bm25"):
            asked.mode(mode)


def test_a_second_query_loads_no_heavy_library(store, retriever, tmp_path):
    """Neither by words nor by vectors: to import them takes seconds."""
    publish(store, retriever=retriever, best="hybrid")
    environment = os.environ | {"DOCS_MLM_WORK_DIR": str(tmp_path / "work")}
    code = (
        "import sys\nfrom flows.command.main import main\n"
        f"try: main(['search', 'rotate a key', '--store', {store.url!r}, *sys.argv[1:]])\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "heavy = {'torch', 'prefect', 'transformers', 'scipy', 'aiohttp', 'pydantic'}\n"
        "sys.stderr.write('heavy: ' + ' '.join(sorted(heavy & set(sys.modules))))"
    )
    command = [sys.executable, "-c", code]
    for mode in ("hybrid", "bm25", "hybrid"):
        done = subprocess.run(
            [*command, "--mode", mode], env=environment, capture_output=True, text=True, check=True
        )
    assert done.stderr == "heavy: "
    assert "Rotate a key" in done.stdout
