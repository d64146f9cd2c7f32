"""The retrieval probe of a run asks its models, and tells what sentence-transformers tells."""

import json
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tasks.errors import UserError
from tasks.evaluate_model import retrieval as module
from tasks.evaluate_model.given import NotMeasured
from tasks.evaluate_model.retrieval import Searched, dense_folders, retrieval
from tasks.evaluate_model.sampling import rough_tokens
from tasks.retrieval.dense import Encoder
from tasks.retrieval.passages import read_passages, read_queries
from tests.tasks.evaluate_model.making import given, given_with, models


@pytest.fixture(scope="module")
def found():
    """All that is given, measured once."""
    return retrieval(given_with(max_tokens=None, max_queries=None))


def test_every_system_is_asked_and_compared(found):
    """BM25, each model once, the hybrids, and what was trained beside what it began from."""
    assert list(found.retrieval) == [
        *("bm25", "mlm_base", "base", "adapted", "retrieval"),
        *("hybrid_base", "hybrid_adapted", "hybrid", "paired"),
    ]
    assert [(pair["system"], pair["over"]) for pair in found.retrieval["paired"]] == [
        ("adapted", "mlm_base"),
        ("retrieval", "base"),
        ("retrieval", "bm25"),
        ("hybrid", "bm25"),
        ("hybrid", "retrieval"),
    ]
    assert json.loads(json.dumps(found.retrieval, allow_nan=False)) == found.retrieval
    assert found.not_measured == {}


def test_figures_are_those_of_sentence_transformers(found):
    """Its evaluator, on the same passages and queries with the same model, agrees to a millionth."""
    from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator

    passages = read_passages(given().pairs / "passages.parquet")
    queries = read_queries(given().pairs / "pairs.parquet")
    relevant = {str(n): set(map(str, numbers)) for n, numbers in enumerate(queries.relevant)}
    evaluator = InformationRetrievalEvaluator(
        {str(n): text for n, text in enumerate(queries.texts)},
        {str(n): text for n, text in zip(passages.ids.tolist(), passages.texts, strict=True)},
        relevant,
        name="probe",
        show_progress_bar=False,
        write_csv=False,
    )
    for system, folder in dense_folders(given()).items():
        wanted = evaluator(Encoder.load(folder).model)
        own = found.retrieval[system]["all"]
        assert own["queries"] == len(queries) > 20
        for name in ("ndcg@10", "mrr@10", "recall@10"):
            assert own[name] == pytest.approx(wanted[f"probe_cosine_{name}"], abs=1e-6), (system, name)


def test_a_retrieval_model_of_this_runs_model_is_beside_the_one_base():
    """What it began from is then the masked-language model before; without one, that is the adapted one."""
    base, trained, retriever = models()
    told = dense_folders(replace(given(), encoder=Path("other")))
    assert list(told.items()) == [
        ("mlm_base", base),
        ("base", Path("other")),
        ("adapted", trained),
        ("retrieval", retriever),
    ]
    away = dense_folders(replace(given(), encoder=None))
    assert away == {"mlm_base": base, "adapted": trained, "retrieval": retriever}, "it began from no other"
    own = replace(given(), encoder=None, begun=False)
    assert dense_folders(own) == {"base": base, "adapted": trained, "retrieval": retriever}
    alone = replace(own, retrieval=None)
    found = retrieval(alone)
    assert list(found.retrieval) == ["bm25", "base", "adapted", "hybrid_base", "hybrid", "paired"]
    assert [pair["over"] for pair in found.retrieval["paired"]] == ["base", "bm25", "adapted"]
    scratch = retrieval(replace(alone, base=None))
    assert list(scratch.retrieval) == ["bm25", "adapted", "hybrid", "paired"]
    assert all(sample["before"]["system"] == "bm25" for sample in scratch.samples if sample["before"])


def test_a_model_is_encoded_once(monkeypatch):
    """Its hybrid asks for no second encoding of the passages, nor of the queries."""
    calls = []
    for name in ("passages", "queries"):
        encode = getattr(Encoder, name)
        monkeypatch.setattr(
            Encoder,
            name,
            lambda self, texts, n=name, f=encode: calls.append((n, self.folder)) or f(self, texts),
        )
    retrieval(given())
    assert len(calls) == len(set(calls)) + 2 == 8, "mlm_base and base are one folder here"


def test_the_best_is_what_can_be_searched_with(found):
    """The system with the highest figure, of those that are published."""
    figures = {name: found.retrieval[name]["all"]["ndcg@10"] for name in module.SEARCHABLE}
    assert figures[found.best] == max(figures.values())


def test_a_model_that_does_not_load_is_left_out(tmp_path):
    """The others are asked, and why it was not is told."""
    (tmp_path / "config.json").write_text("{}")
    found = retrieval(replace(given(), base=tmp_path))
    assert "mlm_base" not in found.retrieval
    assert "does not load" in found.not_measured["mlm_base"]
    assert "retrieval" in found.retrieval


def test_without_held_out_queries_nothing_is_measured(tmp_path):
    """That is told, and no error."""
    for name in ("passages", "pairs"):
        table = pq.read_table(given().pairs / f"{name}.parquet")
        pq.write_table(table if name == "passages" else table.slice(0, 0), tmp_path / f"{name}.parquet")
    with pytest.raises(NotMeasured, match="no query of a held-out document"):
        retrieval(replace(given(), pairs=tmp_path))


@pytest.mark.parametrize("most", [1, 200, 400, 600, 2000])
def test_what_is_searched_is_bounded(most):
    """All that answers an asked query is searched; whole documents, and no more than the bound but one."""
    searched = Searched(given().pairs / "passages.parquet")
    whole = read_queries(given().pairs / "pairs.parquet")
    queries, paths = searched.chosen(whole, most, 0)
    passages, places = searched.read(paths)
    assert {number for numbers in queries.relevant for number in numbers} <= set(passages.ids.tolist())
    assert set(queries.documents) <= paths == {place.path for place in places.values()}
    tokens = sum(map(rough_tokens, passages.texts))
    assert tokens <= most or len(set(queries.documents)) == 1
    assert 0 < len(queries) <= len(whole)
    assert searched.chosen(whole, most, 0) == (queries, paths)


def test_a_bound_that_all_fit_in_changes_nothing():
    """All documents are searched then, as without a bound."""
    searched = Searched(given().pairs / "passages.parquet")
    whole = read_queries(given().pairs / "pairs.parquet")
    assert searched.chosen(whole, 100_000, 0) == searched.chosen(whole, None, 0)
    other = [searched.chosen(whole, 300, seed)[1] for seed in range(4)]
    assert any(paths != other[0] for paths in other)


def test_a_faulty_model_alone_is_no_reason(monkeypatch):
    """Where every model fails, BM25 is measured all the same."""
    monkeypatch.setattr(Encoder, "load", lambda *_: (_ for _ in ()).throw(UserError("it is damaged")))
    found = retrieval(given())
    assert list(found.retrieval) == ["bm25", "paired"]
    assert found.samples == []
    assert found.best == "bm25"
    assert set(found.not_measured.values()) == {"it is damaged"}
