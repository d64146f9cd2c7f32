"""The stage measures what a run made, and a probe that cannot be made ends nothing."""

import json
import logging
import shutil
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.clone_docs.joining import join_snapshots
from tasks.errors import AwayStoreError
from tasks.evaluate_model import retrieval as probe
from tasks.evaluate_model import tags
from tasks.evaluate_model.card import evaluation_card
from tasks.evaluate_model.settings import EvaluateSettings
from tasks.evaluate_model.stage import Measured, evaluate_model, measure, recipe
from tasks.models.pinned import resolve_model
from tasks.models.settings import ModelSettings, ScratchSettings
from tasks.records import (
    Corpus,
    DocsSnapshot,
    EmbeddedModel,
    EvaluatedModel,
    Pairs,
    TokenizedDataset,
    TrainedModel,
)
from tasks.stage.target import Target
from tasks.store.folders import Store
from tests.tasks.evaluate_model.making import COUNTS, documents, given, given_with, models
from tests.tasks.pair_documents.corpora import corpus
from tests.tiny import save_tiny_bert


@pytest.fixture
def target_of(tmp_path):
    """A target of a store of its own, by the result's name and key."""
    store = Store(str(tmp_path / "store"))

    def target(stage, key=None):
        return Target(
            stage=stage,
            key=key or stage,
            uri=store.uri(stage, key or stage),
            action="run",
            why="new",
            store_url=store.url,
            work_dir=str(tmp_path / "work"),
        )

    return target


@pytest.fixture
def made(target_of, tmp_path):
    """What a run made, in the store."""
    _, trained, retriever = models()
    of = {
        Corpus: [(given().corpus, Corpus.FILE)],
        Pairs: [(given().pairs / name, name) for name in (Pairs.PASSAGES, Pairs.PAIRS)],
        TokenizedDataset: [],
        TrainedModel: [(trained, TrainedModel.MODEL)],
        EmbeddedModel: [(retriever, EmbeddedModel.MODEL)],
    }
    records = {}
    for kind, parts in of.items():
        folder = tmp_path / "made" / kind.stage
        folder.mkdir(parents=True)
        (folder / "made.txt").write_text(kind.stage)
        for source, name in parts:
            (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)
        records[kind] = target_of(kind.stage).commit(folder, kind, COUNTS[kind])
    base = resolve_model(ModelSettings(name_or_path=str(models()[0])))
    return Measured(
        corpus=records[Corpus],
        pairs=records[Pairs],
        tokenized=records[TokenizedDataset],
        trained=records[TrainedModel],
        embedded=records[EmbeddedModel],
        base=base,
        encoder=base,
    )


def test_all_probes_are_made(made, target_of, tmp_path):
    """The record has their figures, and so has the file in the result's folder."""
    (tmp_path / "general.json").write_text(json.dumps(["the agent of the machine. " * 20] * 3))
    settings = EvaluateSettings(general_texts=str(tmp_path / "general.json"), max_tokens=5_000)
    target = target_of("evaluation")
    record = evaluate_model.make(target, made, settings)
    assert record.retrieval["retrieval"]["all"]["queries"] > 10
    assert record.general["masked_tokens"] > 0
    assert record.domain_words["words"] > 5
    assert set(record.not_measured) == {"tags"}, "eight held-out documents are too few"
    assert 0 < len(record.samples) <= 6
    written = json.loads((target.fetch(record) / EvaluatedModel.FILE).read_text())
    assert written == {
        name: value
        for name, value in record.as_json().items()
        if name not in ("uri", "key") and name in written
    }
    assert {"retrieval", "general", "domain_words", "not_measured", "best", "samples"} == set(written)
    ancestors = target.store.manifest(record.uri).ancestors
    assert set(ancestors) == {"corpus", "pairs", "tokenized", "training", "embedding"}


def test_a_skipped_retrieval_model_is_none(made, target_of):
    """The adapted model stands for itself then, and why there is none is told."""
    skipped = replace(made.embedded, skipped="there are too few pairs")
    record = evaluate_model.make(target_of("evaluation"), replace(made, embedded=skipped), EvaluateSettings())
    assert record.not_measured["retrieval_model"] == "there are too few pairs"
    assert list(record.retrieval) == ["bm25", "base", "adapted", "hybrid_base", "hybrid", "paired"]


def test_a_model_from_scratch_has_no_base(made, target_of):
    """That is told, and it is measured as it is."""
    base = resolve_model(ModelSettings(from_scratch=ScratchSettings()))
    scratch = replace(made, base=base, embedded=None, encoder=None)
    record = evaluate_model.make(target_of("evaluation"), scratch, EvaluateSettings())
    assert "from scratch" in record.not_measured["base"]
    assert list(record.retrieval) == ["bm25", "adapted", "hybrid", "paired"]
    assert record.domain_words["before"] is None


def test_a_base_that_fills_no_masks_is_told(made, target_of, tmp_path):
    """What could not be compared stands where all reasons do, by probe, and the card shows it."""
    (tmp_path / "general.json").write_text(json.dumps(["the agent of the machine. " * 20] * 3))
    headless = resolve_model(
        ModelSettings(name_or_path=str(save_tiny_bert(tmp_path / "headless", head=False)))
    )
    settings = EvaluateSettings(general_texts=str(tmp_path / "general.json"))
    one = replace(made, base=headless, encoder=made.base)
    record = evaluate_model.make(target_of("evaluation"), one, settings)
    assert set(record.not_measured) == {"general_before", "domain_words_before", "tags"}
    for name in ("general", "domain_words"):
        assert "no weights of a head that fills masks" in record.not_measured[f"{name}_before"]
        found = getattr(record, name)
        assert (found["before"], "not_measured" in found) == (None, False)
        assert found["after"] is not None
        assert f"- not measured: {name.replace('_', ' ')} before: the model has" in evaluation_card(
            None, record
        )
    assert record.retrieval["mlm_base"], "vectors it makes"


def test_what_the_table_calls_a_model_is_said_of_it(made, target_of):
    """Beside a retrieval model `base` is what that began from; the other model's base has its own name."""
    base = resolve_model(ModelSettings(from_scratch=ScratchSettings()))
    record = evaluate_model.make(target_of("evaluation"), replace(made, base=base), EvaluateSettings())
    assert "from scratch" in record.not_measured["mlm_base"]
    assert "base" in record.retrieval
    assert "base" not in record.not_measured


def joint(target_of, tmp_path):
    """The documents in two snapshots that are one, and a corpus of both."""
    halves = {"left": {}, "right": {}}
    for number, (path, text) in enumerate(documents().items()):
        halves["left" if number % 8 < 4 else "right"][path] = text
    parts = {}
    for name, pages in halves.items():
        target = target_of(DocsSnapshot.stage, name)
        with target.building() as folder:
            rows = [{"path": path, "content": text.encode()} for path, text in pages.items()]
            pq.write_table(pa.Table.from_pylist(rows), folder / DocsSnapshot.FILE)
            counts = {"found": len(rows), "read": len(rows), "bytes_read": 1, "licenses": []}
            target.commit(folder, DocsSnapshot, counts | {"source": name, "commit_sha": "1" * 40})
        parts[name] = target
    pages = {f"{name}:{path}": text for name, half in halves.items() for path, text in half.items()}
    target = target_of(Corpus.stage, "joint")
    with target.building() as folder:
        corpus(folder, pages, set(sorted(pages)[::3]))
        made = target.commit(folder, Corpus, COUNTS[Corpus])
    return join_snapshots.make(target_of(DocsSnapshot.stage, "both"), parts), made


def test_the_front_matter_of_several_sources_is_read(made, target_of, tmp_path, monkeypatch):
    """Of a joint corpus each document's field is that of its own source; one that is gone is told."""
    monkeypatch.setattr(tags, "FEW", 5)
    snapshot, corpus = joint(target_of, tmp_path)
    one = replace(made, documents=snapshot, corpus=corpus)
    settings = EvaluateSettings(tags="ms.topic")
    record = evaluate_model.make(target_of("evaluation", "1"), one, settings)
    assert "tags" not in record.not_measured
    assert (record.tags["field"], record.tags["classes"], record.tags["documents"]) == ("ms.topic", 2, 8)
    store = target_of("x").store
    store.remove(store.uri(DocsSnapshot.stage, "left"))
    record = evaluate_model.make(target_of("evaluation", "2"), one, settings)
    assert record.tags is None
    assert record.not_measured["tags"] == "the front matter, of which ms.topic is a field, is not at hand"


def test_what_torch_says_of_a_probe_ends_nothing(monkeypatch):
    """Its reason is told, and the others are made; a store that is away is no such reason."""
    figures = {"not_measured": {}}
    monkeypatch.setattr(probe, "by_words", lambda *_: (_ for _ in ()).throw(RuntimeError("out of memory")))
    logging.getLogger("docs_mlm").propagate = True
    measure(given_with(), figures)
    assert figures["not_measured"]["retrieval"] == "out of memory"
    assert "general-texts" in figures["not_measured"]["general"]
    assert figures["domain_words"]["words"] > 0
    monkeypatch.setattr(probe, "by_words", lambda *_: (_ for _ in ()).throw(AwayStoreError("away")))
    with pytest.raises(AwayStoreError):
        measure(given_with(), {"not_measured": {}})


def test_the_key_knows_the_models_before_and_what_is_measured(made):
    """Another base, another encoder, another bound: another result."""
    settings = EvaluateSettings()
    other = replace(made.base, fingerprint="other")
    found = [
        recipe(made.base, None, settings),
        recipe(other, None, settings),
        recipe(made.base, other, settings),
        recipe(made.base, None, EvaluateSettings(max_tokens=7)),
        recipe(made.base, None, EvaluateSettings(general_texts=str(made.base.location))),
    ]
    assert len({json.dumps(one, sort_keys=True) for one in found}) == len(found)
