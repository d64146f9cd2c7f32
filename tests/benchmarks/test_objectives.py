"""The comparison of objectives and maskings, on a tiny corpus: so that it still runs when it is wanted."""

import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tasks.train_model.batches.loader import MaskedBatches
from tests.benchmarks import objectives
from tests.benchmarks.clock import Budget, Clock, engine_under
from tests.tiny import save_tiny_bert

ARMS = ["mlm, token", "mlm, span", "mlm, token, 30 % to 15 %", "mlm+nsp, token"]


@pytest.fixture(autouse=True)
def _logging() -> Iterator[None]:
    """The program turns the log's warnings off for its process, which here goes on."""
    yield
    logging.disable(logging.NOTSET)


def compare(folder: Path, monkeypatch: pytest.MonkeyPatch, *flags: str) -> dict[str, Any]:
    """The figures that the program wrote."""
    docs, model, out = folder / "docs", folder / "model", folder / "out"
    docs.mkdir(exist_ok=True)
    for number in range(24):
        lines = [f"Azure Arc connects server {number} to cluster {line}." for line in range(9)]
        (docs / f"{number}.md").write_text(f"# Agent {number}\n\n{' '.join(lines)}\n")
    save_tiny_bert(model)
    named = ["--docs", str(docs), "--model", str(model), "--out", str(out), "--seeds", "1"]
    small = ["--max-seq-length", "32", "--batch", "4"]
    monkeypatch.setattr(sys, "argv", ["objectives", *named, *small, *flags, "--arms", *ARMS])
    objectives.main()
    results: dict[str, Any] = json.loads(next(out.glob("*.json")).read_text())["results"]
    return results


def test_all_arms_end_at_the_same_tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each arm trains on the tokens asked for, is measured, and has its row; with pairs more."""
    results = compare(tmp_path, monkeypatch, "--equal", "tokens", "--tokens", "900")
    for name, (run,) in results.items():
        assert abs(run["tokens"] - 900) < 4 * 32
        assert run["loss"] > 0
        assert (run["pair_accuracy"] is not None) == ("nsp" in name)
    written = (tmp_path / "out" / "objectives_tokens.md").read_text()
    assert all(f"| {name} |" in written for name in ARMS)


def test_all_arms_end_by_the_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At equal time every arm stops by itself; how many steps fit is the machine's affair."""
    results = compare(tmp_path, monkeypatch, "--equal", "time", "--seconds", "0.2")
    assert all(run["steps"] >= 1 for (run,) in results.values())


def test_the_mask_rate_falls_with_the_budget() -> None:
    """Under the clock a falling mask rate ends at its last value where the budget does, and not outside."""
    clock = Clock(Budget(measure="tokens", amount=100, learning_rate=1, warmup_share=0), None)
    nothing: Any = None
    batches = MaskedBatches(
        windows=nothing, masker=nothing, pad_token_id=0, rate=0.3, final_rate=0.1, total_steps=5
    )
    with engine_under(clock):
        rates = []
        for tokens in (0, 50, 100, 120):
            clock.marks.append((0.0, tokens))
            rates.append(batches.rate_at(0))
    assert rates == pytest.approx([0.3, 0.2, 0.1, 0.1])
    assert batches.rate_at(0) == pytest.approx(0.3)
    assert batches.rate_at(4) == pytest.approx(0.1)
