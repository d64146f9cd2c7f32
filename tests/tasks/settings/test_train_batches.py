"""What the model is given: how many windows, which, in what order, and what of them is masked."""

import multiprocessing
from collections import Counter
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks.train_model.batches.masking import IGNORED, Masker
from tasks.train_model.batches.order import WindowOrder
from tests.tasks.settings.conftest import Runs
from tests.tasks.settings.corpus import (
    CLS,
    CODE,
    FIRST,
    MASK,
    PLACES,
    SEP,
    VOCABULARY,
    WINDOWS,
    WORD_OF,
    new_model,
    save_corpus,
    tokens_of,
    window_of,
)
from tests.tasks.settings.watching import Watched, same, watched

ONLY_MASKS: dict[str, Any] = {"mask_replace_prob": 1.0, "random_replace_prob": 0.0}
"""Every chosen token becomes [MASK], so what the model sees tells what was chosen."""
READABLE: dict[str, Any] = {"mask_replace_prob": 0.0, "random_replace_prob": 0.0}
"""Every chosen token stays as it is."""


def truth(ids: np.ndarray) -> np.ndarray:
    """(windows, places) the tokens that stood where the model saw `ids` (windows, places)."""
    return np.stack([tokens_of(window_of(row)) for row in ids])


def chosen_of(run: Watched) -> np.ndarray:
    """(windows of all steps, places) what was masked; for runs of `ONLY_MASKS`."""
    return run.ids[:, 1:-1] == MASK


@pytest.mark.setting("train.per_device_train_batch_size", "train.gradient_accumulation_steps")
@pytest.mark.parametrize(("size", "accumulation", "steps"), [(10, 1, 6), (6, 2, 5), (5, 3, 4)])
def test_a_step_takes_so_many_batches_of_so_many_windows(
    runs: Runs, size: int, accumulation: int, steps: int
) -> None:
    """A batch has the windows asked for, and a step the batches."""
    run = runs(per_device_train_batch_size=size, gradient_accumulation_steps=accumulation, num_train_epochs=1)
    sizes = [[len(batch.ids) for batch in step.batches] for step in run.steps]
    assert sizes == [[size] * accumulation] * steps


@pytest.mark.setting("train.tokens_per_step")
@pytest.mark.parametrize(("windows", "steps"), [(10, 6), (5, 12), (20, 3)])
def test_a_step_takes_about_so_many_tokens(runs: Runs, windows: int, steps: int) -> None:
    """As many windows as have them, of all batches of a step."""
    tokens = windows * (PLACES + 2)
    run = runs(per_device_train_batch_size=None, tokens_per_step=tokens, num_train_epochs=1)
    assert [[len(batch.ids) for batch in step.batches] for step in run.steps] == [[windows]] * steps


@pytest.mark.setting("train.num_train_epochs")
@pytest.mark.parametrize(("epochs", "steps"), [(1, 6), (1.5, 9), (2.4, 15)])
def test_every_window_is_seen_once_an_epoch(runs: Runs, epochs: float, steps: int) -> None:
    """60 windows in batches of 10 are 6 steps an epoch, in each of which every window is seen once."""
    run = runs(num_train_epochs=epochs)
    assert len(run.steps) == steps
    seen = [window_of(row) for row in run.ids]
    whole = int(epochs)
    for epoch in range(whole):
        assert sorted(seen[epoch * WINDOWS : (epoch + 1) * WINDOWS]) == list(range(WINDOWS))
    assert set(Counter(seen[whole * WINDOWS :]).values()) <= {1}


@pytest.mark.setting("train.max_steps")
@pytest.mark.parametrize(("most", "steps"), [(-1, 12), (7, 7), (30, 12)])
def test_training_ends_after_the_most_steps(runs: Runs, most: int, steps: int) -> None:
    """No more steps than asked for are taken, and no more than the epochs have."""
    run = runs(max_steps=most)
    assert len(run.steps) == steps
    assert run.report is not None
    assert run.report.global_step == steps


@pytest.mark.setting("train.mlm_probability", "train.final_mlm_probability")
@pytest.mark.parametrize(
    ("rate", "final"), [(0.25, None), (0.1, None), (0.2, 0.45), (0.5, 0.1)], ids=lambda value: str(value)
)
def test_the_mask_rate_goes_from_the_first_to_the_final_one(
    runs: Runs, rate: float, final: float | None
) -> None:
    """In step s of 12 each window of n tokens has n · r masked, r on the line from first to final rate."""
    run = runs(mlm_probability=rate, final_mlm_probability=final)
    last = rate if final is None else final
    for number, step in enumerate(run.steps):
        wanted = PLACES * (rate + (last - rate) * number / 11)
        counts = Counter(((step.labels - FIRST) // PLACES).tolist())
        assert len(counts) == 10
        assert set(counts.values()) <= {int(wanted + 1e-6), int(np.ceil(wanted - 1e-6))}, number
    assert len(run.steps[0].labels) == round(10 * PLACES * rate)
    assert len(run.steps[-1].labels) == round(10 * PLACES * last)


@pytest.mark.setting("train.mask_replace_prob", "train.random_replace_prob")
@pytest.mark.parametrize(("masked", "swapped"), [(0.8, 0.1), (0.3, 0.5), (0.0, 0.0), (0.0, 1.0), (1.0, 0.0)])
def test_chosen_tokens_share_their_fates_as_asked(runs: Runs, masked: float, swapped: float) -> None:
    """Of 2,400 chosen tokens the shares asked for become [MASK] and another token; the others stay."""
    run = runs(mlm_probability=0.5, mask_replace_prob=masked, random_replace_prob=swapped)
    seen = run.ids[:, 1:-1]
    # Where too little is left of a window to tell which one it is, another run's batches tell.
    stood = truth(runs(mlm_probability=0.5).ids[:, 1:-1])
    chosen = len(run.labels)
    assert chosen == 2400
    masks = int((seen == MASK).sum())
    swaps = int(((seen != stood) & (seen != MASK)).sum())
    # Five standard deviations of √(2400 · ½ · ½); with shares of 0 and 1 there is nothing to vary.
    for count, share in ((masks, masked), (swaps, swapped)):
        spread = 5 * (share * (1 - share) / chosen) ** 0.5
        # A random token is the old one by chance once in 2,400 times.
        assert count / chosen == pytest.approx(share, abs=spread + 0.002), share
    assert (seen >= MASK).all()


def words_of(row: np.ndarray) -> list[set[bool]]:
    """For each word of a window, whether its tokens are masked."""
    return [set(row[word == WORD_OF].tolist()) for word in range(WORD_OF[-1] + 1)]


def runs_of_words(masks: np.ndarray) -> float:
    """How many masked words stand in a row, on average."""
    lengths = []
    for row in masks:
        words = [True in word for word in words_of(row)]
        lengths += [len(list(group)) for masked, group in groupby(words) if masked]
    return float(np.mean(lengths))


@pytest.mark.setting("train.masking")
def test_tokens_words_or_spans_are_masked_together(runs: Runs) -> None:
    """`token` cuts words apart, `whole_word` never, and `span` masks several words in a row."""
    masks = {
        kind: chosen_of(runs(masking=kind, mlm_probability=0.25, **ONLY_MASKS))
        for kind in ("token", "whole_word", "span")
    }
    whole = {
        kind: np.mean([len(word) == 1 for row in masks[kind] for word in words_of(row)]) for kind in masks
    }
    assert whole["token"] < 0.8
    assert whole["whole_word"] == whole["span"] == 1
    # Of words drawn one by one at a rate of a quarter 1 / (1 − ¼) stand in a row; spans have 3.8 of them.
    assert runs_of_words(masks["whole_word"]) == pytest.approx(4 / 3, abs=0.25)
    assert 2.2 < runs_of_words(masks["span"]) < 5
    for kind, found in masks.items():
        assert found.mean() == pytest.approx(0.25, abs=0.015), kind


@pytest.mark.setting("train.masking")
def test_a_span_has_one_fate_and_a_words_tokens_each_their_own(runs: Runs) -> None:
    """Of a span's words every token becomes [MASK] or none does; of a whole word some may."""
    mixed = {}
    for kind in ("whole_word", "span"):
        run = runs(masking=kind, mlm_probability=0.25, mask_replace_prob=0.5, random_replace_prob=0.5)
        mixed[kind] = any(len(word) > 1 for row in chosen_of(run) for word in words_of(row))
    assert mixed == {"whole_word": True, "span": False}


@pytest.mark.setting("train.code_mask_weight")
@pytest.mark.parametrize("weight", [0.0, 0.4, 1.0])
def test_code_is_masked_by_its_weight(runs: Runs, weight: float) -> None:
    """Half of every window is code: its mask rate is that of prose times the weight."""
    masks = chosen_of(runs(code_mask_weight=weight, mlm_probability=0.4, num_train_epochs=4, **ONLY_MASKS))
    # 4,800 tokens of each: five standard deviations are 0.035.
    assert masks[:, ~CODE].mean() == pytest.approx(0.4, abs=0.035)
    assert masks[:, CODE].mean() == pytest.approx(0.4 * weight, abs=0.035 if weight else 0)


@pytest.mark.setting("train.seed")
@pytest.mark.parametrize("seed", [42, 7])
def test_weights_order_and_masks_follow_from_the_seed(runs: Runs, seed: int) -> None:
    """New weights, the order of each epoch and every mask are those that the seed gives."""
    run = runs(seed=seed, attention_dropout=None, hidden_dropout=None, **ONLY_MASKS)
    fresh = dict(new_model(seed).named_parameters())
    for name, weight in run.steps[0].before.items():
        # The head's bias starts from how often each token occurs.
        assert name == "cls.predictions.bias" or weight.equal(fresh[name].detach()), name
    order = WindowOrder(lengths=np.full(WINDOWS, PLACES + 2), seed=seed, batch_size=10)
    masker = Masker(
        seed=seed,
        mask_token_id=MASK,
        special_ids=tuple(range(FIRST)),
        vocab_size=VOCABULARY,
        mask_share=1.0,
        random_share=0.0,
    )
    for number, step in enumerate(run.steps):
        windows = order.global_batches(number // 6)[number % 6]
        assert [window_of(row) for row in step.ids] == windows.tolist()
        ids = np.stack([[CLS, *tokens_of(window), SEP] for window in windows])
        seen, labels = masker(ids, np.ones_like(ids, bool), windows, number // 6, 0.15)
        assert (step.ids == seen).all()
        assert (step.labels == labels[labels != IGNORED]).all()


@pytest.mark.setting("train.seed")
def test_dropout_follows_from_the_seed(corpus: Path, tmp_path: Path, runs: Runs) -> None:
    """torch draws from the seed: it gives the same weights to the bit, and another one others."""
    changes: dict[str, Any] = {"hidden_dropout": 0.3, "max_steps": 3}
    one = runs(seed=7, **changes)
    assert {batch.seed for step in one.steps for batch in step.batches} == {7}
    again = watched(corpus, tmp_path, seed=7, **changes)
    assert same(one.weights, again.weights)
    assert not same(one.weights, runs(**changes).weights)


@pytest.mark.setting("train.packing")
def test_a_packed_batch_is_one_row_of_the_same_windows(runs: Runs) -> None:
    """A batch's windows stand end to end in one row, with the same masks, and the same losses to rounding."""
    plain, packed = runs(), runs(packing=True)
    for one, other in zip(plain.steps, packed.steps, strict=True):
        (batch,) = other.batches
        assert batch.ids.shape == (1, one.ids.size)
        assert (batch.ids.reshape(one.ids.shape) == one.ids).all()
        assert batch.inputs["cu_seq_lens_q"].tolist() == list(range(0, one.ids.size + 1, PLACES + 2))
        assert (other.labels == one.labels).all()
    losses = [[point["loss"] for point in run.history] for run in (packed, plain)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


@pytest.mark.setting("train.dataloader_num_workers")
def test_so_many_processes_prepare_batches(corpus: Path, tmp_path: Path, runs: Runs) -> None:
    """While it trains there are as many helpers as asked for; the weights are the same to the bit."""
    counts: dict[int, set[int]] = {}
    for workers in (0, 2):
        here = counts.setdefault(workers, set())

        def look(_: dict[str, Any], here: set[int] = here) -> None:
            here.add(len(multiprocessing.active_children()))

        run = watched(
            corpus, tmp_path / str(workers), on_progress=look, max_steps=2, dataloader_num_workers=workers
        )
        assert same(run.weights, runs(max_steps=2).weights)
    assert counts == {0: {0}, 2: {2}}


@pytest.fixture(scope="module")
def pairs_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four documents of 600 tokens, each of which is a sentence."""
    folder = tmp_path_factory.mktemp("pairs")
    return save_corpus(folder, in_document=15, sentences=np.ones(PLACES, bool))


def places_of(segment: np.ndarray) -> tuple[int, int]:
    """The token of the corpus at which a segment starts, and where it ends."""
    start = int(segment[0]) - FIRST
    assert (segment == FIRST + np.arange(start, start + len(segment))).all()
    return start, start + len(segment)


def segments(run: Watched) -> list[tuple[tuple[int, int], tuple[int, int], int]]:
    """The places of both segments of every pair, and its label."""
    found = []
    for step in run.steps:
        (batch,) = step.batches
        types = batch.inputs["token_type_ids"].numpy()
        for row, kinds, label in zip(batch.ids, types, batch.pair_labels, strict=True):
            end = len(row) - 1 - int(np.argmax((row == SEP)[::-1]))
            first = int(np.argmax(kinds == 1))
            found.append((places_of(row[1 : first - 1]), places_of(row[first:end]), int(label)))
    return found


@pytest.mark.setting("train.objective")
@pytest.mark.parametrize("objective", ["mlm", "mlm+nsp", "mlm+sop"])
def test_the_second_objective_is_the_one_asked_for(
    pairs_corpus: Path, tmp_path: Path, objective: str
) -> None:
    """False segments are of another document for NSP, swapped for SOP, and there are none for MLM alone."""
    chosen = READABLE if objective == "mlm" else READABLE | {"short_seq_share": 0.0}
    run = watched(pairs_corpus, tmp_path, objective=objective, num_train_epochs=1, **chosen)
    if objective == "mlm":
        assert all(not len(batch.pair_labels) for step in run.steps for batch in step.batches)
        assert not any(name.startswith("cls.seq_relationship") for name in run.weights)
        return
    assert "cls.seq_relationship.weight" in run.weights
    found = segments(run)
    assert sum(label for *_, label in found) == len(found) // 2
    for a, b, label in found:
        if not label:
            assert b[0] == a[1]
        elif objective == "mlm+nsp":
            assert a[0] // (15 * PLACES) != b[0] // (15 * PLACES)
        else:
            assert b[1] == a[0]


@pytest.mark.setting("train.short_seq_share")
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_so_many_pairs_are_short(pairs_corpus: Path, tmp_path: Path, share: float) -> None:
    """Of all pairs the share asked for has a length drawn from 2 to 39 tokens; the others are full."""
    run = watched(
        pairs_corpus, tmp_path, objective="mlm+sop", num_train_epochs=1, short_seq_share=share, **READABLE
    )
    lengths = [a[1] - a[0] + b[1] - b[0] for a, b, _ in segments(run)]
    full = 39
    assert max(lengths) == full
    short = [length for length in lengths if length < full]
    if share == 0:
        assert len(short) <= 4, "what is left at the end of each document"
        return
    # 80 to 120 pairs, and a document's last is cut off: three standard deviations are 0.15.
    assert len(short) / len(lengths) == pytest.approx(share * 37 / 38, abs=0.15)
    assert np.mean(short) == pytest.approx(20, abs=5)
