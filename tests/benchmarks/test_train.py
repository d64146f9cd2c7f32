"""The benchmark program itself, on a tiny model: so that it still runs when it is wanted."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.arms import Spec, run_ours, run_stock, start_clock
from tests.benchmarks.clock import Budget, Clock
from tests.benchmarks.corpus import freeze_corpus
from tests.benchmarks.preparing import prepare_rounds
from tests.benchmarks.report import write_report
from tests.benchmarks.train import ARMS, NOTEBOOK, OURS, RUN_MLM, seconds_to
from tests.tiny import save_tiny_bert, tiny_tokenizer

LENGTH = 32


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of small Markdown files."""
    folder = tmp_path_factory.mktemp("docs")
    for number in range(24):
        lines = [f"Azure Arc connects server {number} to cluster {line}." for line in range(9)]
        (folder / f"{number}.md").write_text(f"# Agent {number}\n\n{' '.join(lines)}\n")
    return folder


@pytest.fixture(scope="module")
def spec(documents: Path, tmp_path_factory: pytest.TempPathFactory) -> Spec:
    """A run of three steps that measures the held-out loss."""
    folder = tmp_path_factory.mktemp("corpus")
    freeze_corpus(documents, tiny_tokenizer(), LENGTH, folder, None, eval_windows=8)
    return Spec(
        arm=OURS,
        corpus=str(folder),
        model=str(save_tiny_bert(tmp_path_factory.mktemp("model"))),
        sizes=None,
        max_seq_length=LENGTH,
        measure="steps",
        budget=3,
        seed=0,
        evaluating=True,
    )


def run(spec: Spec) -> dict[str, Any]:
    """One arm in this process."""
    tokenizer = tiny_tokenizer()
    clock = start_clock(spec, tokenizer)
    return (run_ours if spec.arm.ours else run_stock)(spec, clock, tokenizer)


def test_all_arms_run_to_the_same_budget(spec: Spec, tmp_path: Path) -> None:
    """The recipes begin at the same held-out loss, do the steps asked for, and come into one table."""
    arms = [OURS, replace(NOTEBOOK, batch=4), replace(RUN_MLM, batch=4)]
    results = {arm.name: [run(replace(spec, arm=arm))] for arm in arms}
    for (result,) in results.values():
        assert result["steps"] == 3
        assert result["points"][0][1] == pytest.approx(results[OURS.name][0]["points"][0][1], rel=1e-5)
        assert result["points"][-1] == (3, result["loss"])
    about = {"docs": None, "train_documents": 1, "train_tokens": 1, "model": "tiny", "kind": "tokens"}
    write_report("tokens", results, about | {"max_seq_length": LENGTH, "rounds": 1, "tokens": 9}, tmp_path)
    written = (tmp_path / "train_tokens_tiny.md").read_text()
    assert all(f"| {arm.name} |" in written for arm in arms)


def test_a_run_ends_nearest_to_its_budget(spec: Spec) -> None:
    """Trained for a number of tokens, a run ends not a whole step away from what was asked."""
    arm = replace(OURS, batch=4)
    result = run(replace(spec, arm=arm, measure="tokens", budget=1000, evaluating=False))
    assert abs(result["tokens"] - 1000) < 4 * LENGTH
    assert result["steps"] > 1


def test_a_run_of_some_seconds_ends(spec: Spec) -> None:
    """Trained for a time, a run stops by itself; how many steps fit is the machine's affair."""
    result = run(replace(spec, measure="seconds", budget=0.2, evaluating=False))
    assert result["steps"] >= 1


def test_the_rate_follows_the_budget() -> None:
    """The rate rises linearly through the warm-up and falls to nothing where the budget ends."""
    clock = Clock(Budget(measure="seconds", amount=10, learning_rate=1, warmup_share=0.2), None)
    rates = []
    for seconds in (0, 1, 2, 6, 10, 11):
        clock.marks.append((seconds, 0))
        rates.append(clock.factor())
    assert rates == pytest.approx([0.5, 0.5, 1, 0.5, 0, 0])


def test_both_ways_of_preparing_run(documents: Path, tmp_path: Path) -> None:
    """Preparation is timed beside the plain map, each way once a round."""
    results = prepare_rounds(documents, tiny_tokenizer, LENGTH, tmp_path, rounds=1)
    assert [len(rounds) for rounds in results.values()] == [1, 1, 1]
    assert all(rounds[0]["documents_per_second"] > 0 for rounds in results.values())


def test_arms_have_names_of_their_own() -> None:
    """Results are kept by the arms' names."""
    for arms in ARMS.values():
        assert len({arm.name for arm in arms}) == len(arms)


def test_the_seconds_to_a_loss_lie_between_its_points() -> None:
    """The first time that the loss is reached counts; what is never reached has no time."""
    points = [(0.0, 9.0), (10.0, 5.0), (20.0, 6.0), (30.0, 3.0)]
    assert [seconds_to(loss, points) for loss in (7.0, 5.0, 4.5, 2.0)] == [5.0, 10.0, 25.0, None]
