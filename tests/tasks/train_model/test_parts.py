"""The parts of a run, made of its job."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import load_from_disk

from tasks.errors import UserError
from tasks.train_model import parts
from tasks.train_model.batches.order import PairOrder
from tasks.train_model.job import TrainJob
from tasks.train_model.parts import load_parts
from tasks.train_model.reading import read_windows
from tasks.train_model.settings import TrainSettings
from tests.tasks.train_model.conftest import TINY


def job_of(data: Path, folder: Path, **changes: Any) -> TrainJob:
    """A job of a tiny model."""
    return TrainJob(
        data=data,
        output=folder,
        checkpoints=folder,
        settings=TrainSettings(precision="fp32", **changes),
        scratch=TINY,
    )


def test_a_corpus_without_windows_is_refused(
    tokenized: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what to look at, instead of a training of no steps."""
    whole = read_windows(tokenized)["train"]
    none = replace(whole, ids=whole.ids[:0], offsets=whole.offsets[:1], document=whole.document[:0])
    monkeypatch.setattr(parts, "read_windows", lambda _: {"train": none})
    with pytest.raises(UserError, match=r"no training windows.*filter\.min_chars"):
        load_parts(job_of(tokenized, tmp_path))


def test_without_held_out_windows_nothing_is_measured(tokenized: Path, tmp_path: Path) -> None:
    """There are then no figures and no samples, rather than those of nothing."""
    splits = load_from_disk(str(tokenized / "windows"))
    del splits["eval"]
    splits.save_to_disk(str(tmp_path / "data" / "windows"))
    (tmp_path / "data" / "tokenizer").symlink_to(tokenized / "tokenizer")
    found = load_parts(job_of(tmp_path / "data", tmp_path, objective="mlm+nsp"))
    assert found.evaluate() is None
    assert found.fill() == found.samples == []
    assert found.held_out_pairs is None
    assert isinstance(found.order, PairOrder), "it trains on pairs all the same"


def test_what_is_measured_can_be_bounded(tokenized: Path, tmp_path: Path) -> None:
    """Held-out windows of some documents, and all windows to train on."""
    whole, some = (load_parts(replace(job_of(tokenized, tmp_path), eval_tokens=most)) for most in (None, 150))
    assert whole.held_out is not None
    assert some.held_out is not None
    assert 0 < len(some.held_out.ids) <= 150 < len(whole.held_out.ids)
    assert len(some.batches.windows) == len(whole.batches.windows)
    figures = some.evaluate()
    assert figures is not None
    assert 0 < figures["masked_tokens"] <= 0.15 * 150 + len(some.held_out)


def test_a_run_that_begins_has_done_no_step(tokenized: Path, tmp_path: Path) -> None:
    """Steps are counted from the checkpoint that a run resumes from."""
    found = load_parts(job_of(tokenized, tmp_path))
    assert (found.resumed, found.first_step) == (None, 0)


def test_only_ordinary_tokens_are_counted(tokenized: Path, tmp_path: Path) -> None:
    """A head that starts from frequencies is never to predict a special token."""
    found = load_parts(job_of(tokenized, tmp_path))
    ids = found.batches.windows.ids
    counts = found.token_counts()
    assert len(counts) == 125
    assert counts[:5].tolist() == [0] * 5
    assert counts.sum() == np.isin(ids, found.batches.masker.special_ids, invert=True).sum() > 0


def test_pairs_are_evaluated_on_the_same_ones_in_every_run(tokenized: Path, tmp_path: Path) -> None:
    """Another seed or share of short pairs trains on other pairs, and is measured on the same ones."""
    job = job_of(tokenized, tmp_path, objective="mlm+nsp")
    other = replace(job, settings=TrainSettings(objective="mlm+nsp", seed=1, short_seq_share=0.9))
    one, two = load_parts(job), load_parts(other)
    assert one.batches.pairs is not None
    assert two.batches.pairs is not None
    assert one.held_out_pairs is not None
    assert two.held_out_pairs is not None
    assert not np.array_equal(one.batches.pairs.table(0).b, two.batches.pairs.table(0).b)
    assert np.array_equal(one.held_out_pairs.table(0).b, two.held_out_pairs.table(0).b)
