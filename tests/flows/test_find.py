"""A run that also trains a retrieval model, measures what both are good for, and is searched."""

import json
import shutil

import pytest

from flows.adapt import adapt
from tasks.errors import UserError
from tasks.records import STAGES
from tests.flows.conftest import PAGES
from tests.git_server import make_repository

EMBED = {
    "enabled": True, "start": "adapted", "max_steps": 4, "batch_size": 8, "mini_batch_size": 4,
    "max_seq_length": 48, "logging_steps": 1, "precision": "fp32",
}  # fmt: skip


@pytest.fixture
def searched(chosen, repositories, tmp_path):
    """Settings of such a run."""
    make_repository(tmp_path / "pages.git", PAGES)
    return chosen(
        source={"url": None, "checkout": str(tmp_path / "pages.git")},
        embed=EMBED,
        evaluate={"enabled": True, "max_tokens": 4_000},
    )


def test_it_trains_measures_publishes_and_is_searched(
    prefect_server, searched, command, tmp_path, monkeypatch
):
    """All stages, the figures that programs read, a model that loads from a plain copy, and a hit."""
    from sentence_transformers import SentenceTransformer
    from transformers import AutoModel

    summary = adapt(**searched.as_parameters())
    assert list(summary.stages) == [stage for stage in STAGES if stage != "index"]
    assert summary.pairs["kept"] > 0
    assert summary.pairs["mined"] == summary.pairs["kept"] + sum(summary.pairs["dropped_by_reason"].values())
    found = summary.probes["retrieval"]
    assert {"bm25", "adapted", "retrieval", "hybrid", "paired"} <= found.keys()
    every = {"ndcg@10", "mrr@10", "recall@10", "low", "high", "queries"}
    assert all(every == found["bm25"][kind].keys() for kind in ("all", "heading"))
    assert summary.probes["general"] is None
    assert summary.advice.startswith("To find things use")

    again = adapt(**searched.as_parameters())
    assert all(stage["reused"] for stage in again.stages.values())
    assert again.retrieval_model == summary.retrieval_model

    copy = shutil.copytree(summary.model["uri"].removeprefix("file://"), tmp_path / "copy")
    assert summary.retrieval_model == {
        "uri": f"{summary.model['uri']}/retrieval",
        "version": summary.model["version"],
    }
    assert SentenceTransformer(str(copy / "retrieval"), device="cpu").encode(["a key"]).shape == (1, 32)
    assert AutoModel.from_pretrained(copy / "retrieval").config.hidden_size == 32
    card = (copy / "retrieval" / "README.md").read_text()
    assert "sentence-transformers" in card
    assert "find passages of" in card
    report = (copy / "report.html").read_text()
    assert "<svg" in report
    assert "http://" not in report.replace("http://www.w3.org", "")
    published = json.loads((copy / "summary.json").read_text())
    assert published["retrieval_model"] == summary.retrieval_model
    assert published["probes"]["retrieval"] == found

    # A second machine, with nothing but the store.
    monkeypatch.setenv("DOCS_MLM_WORK_DIR", str(tmp_path / "second"))
    code, out, err = command("search", summary.question, "--json", "--store", searched.store)
    assert code == 0, err
    assert {"path", "heading", "text", "url", "score"} == json.loads(out)[0].keys()


def test_documents_without_pairs_end_the_run_before_it_trains(prefect_server, chosen, tmp_path):
    """Or are published without a retrieval model, with the reason."""
    (tmp_path / "plain").mkdir()
    for number in range(12):
        words = f"The number {number} stands here. " * 20
        (tmp_path / "plain" / f"{number}.md").write_text(words)
    source = {"url": None, "folder": str(tmp_path / "plain")}
    settings = chosen(source=source, embed=EMBED, filter={"duplicates": "keep"})
    with pytest.raises(UserError, match="hold 0 pairs of query and passage to train on"):
        adapt(**settings.as_parameters())
    settings = chosen(
        source=source, embed=EMBED | {"without_pairs": "skip"}, filter={"duplicates": "keep"},
        evaluate={"enabled": True, "max_tokens": 2_000},
    )  # fmt: skip
    summary = adapt(**settings.as_parameters())
    assert summary.retrieval_model is None
    assert summary.probes["retrieval"] is None
