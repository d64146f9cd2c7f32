"""A retrieval model learns from pairs, and ends with the same weights however often it is interrupted."""

import signal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from sentence_transformers.sentence_transformer.data_collator import SentenceTransformerDataCollator
from sentence_transformers.sentence_transformer.losses import CachedMultipleNegativesRankingLoss

from tasks.embed_model.batches import ByLength
from tasks.embed_model.negatives import hard_negatives
from tasks.embed_model.rows import read_pairs
from tasks.embed_model.training import load_encoder, train, training_arguments
from tasks.errors import UserError
from tasks.retrieval.dense import Encoder
from tests.tasks.embed_model.made import SETTINGS, job, weights, write_pairs
from tests.tasks.retrieval.models import plain_folder, save_tiny_retriever


class Stops:
    """Keeps nothing, and asks the run to stop once the first checkpoint is there."""

    def __init__(self) -> None:
        self.steps: list[int] = []

    def submit(self, folder, global_step):
        """Note the step; the signal is heard as if the machine were asked to go."""
        self.steps.append(global_step)
        if len(self.steps) == 1:
            signal.raise_signal(signal.SIGTERM)

    def close(self, timeout=None):
        """Nothing is under way."""
        return True


def test_it_learns_and_loads_after_a_plain_copy(tmp_path):
    """The loss falls; what is saved is a model of sentence-transformers, with its prompts."""
    from sentence_transformers import SentenceTransformer

    told = []
    figures = train(
        job(tmp_path, save_tiny_retriever(tmp_path / "base"), num_train_epochs=6, query_prompt="find: "),
        tell=lambda words, share: told.append((words, share)),
    )
    losses = [point["loss"] for point in figures["history"] if "loss" in point]
    assert np.mean(losses[-3:]) < 0.8 * np.mean(losses[:3])
    assert (figures["pairs"], figures["global_step"], figures["resumed_from_step"]) == (12, 18, 0)
    assert told[-1][1] == 1.0
    assert "pairs/s" in told[-1][0]
    (tmp_path / "made" / "model").rename(tmp_path / "copy")
    model = SentenceTransformer(str(tmp_path / "copy"), device="cpu")
    assert model.prompts["query"] == "find: "
    assert np.allclose(np.linalg.norm(model.encode(["a fox"]), axis=1), 1, atol=1e-5)
    assert not (tmp_path / "copy" / "training_args.bin").exists()


@pytest.mark.parametrize(
    ("steps", "changes"),
    [((2, 4), {}), ((4,), {"loss": "symmetric", "hard_negatives": 2}), ((2,), {"loss": "guided"})],
)
def test_a_run_that_resumes_ends_with_the_same_weights(tmp_path, steps, changes):
    """From any checkpoint, dropout and all, in the middle of an epoch and in the next one."""
    changes = {"num_train_epochs": 2, **changes}
    model = plain_folder()
    train(job(tmp_path / "whole", model, save_total_limit=9, **changes))
    whole = weights(tmp_path / "whole" / "made" / "model")
    assert whole != weights(model)
    for step in steps:
        again = job(
            tmp_path / f"from-{step}",
            model,
            resume_from=tmp_path / "whole" / "checkpoints" / f"checkpoint-{step}",
            **changes,
        )
        figures = train(again)
        assert (figures["resumed_from_step"], figures["global_step"]) == (step, 6)
        assert weights(again.output / "model") == whole


def test_a_run_that_is_asked_to_stop_finishes_its_step(tmp_path):
    """Its checkpoint is one to go on from, to the same weights."""
    model, keeper = plain_folder(), Stops()
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        with pytest.raises(KeyboardInterrupt):
            train(job(tmp_path / "a", model), keeper=keeper)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert keeper.steps == [2, 3]
    last = tmp_path / "a" / "checkpoints" / "checkpoint-3"
    train(job(tmp_path / "b", model, resume_from=last))
    train(job(tmp_path / "c", model))
    assert weights(tmp_path / "b" / "made" / "model") == weights(tmp_path / "c" / "made" / "model")


def test_a_models_own_prompts_are_trained_with(tmp_path):
    """They are kept, and what is searched with later was learnt; the settings' go over them."""
    base = save_tiny_retriever(tmp_path / "base", prompts={"query": "ask: ", "passage": "told: "})
    one = job(tmp_path / "run", base)
    model = load_encoder(base, one.settings).model
    told = training_arguments(one, "fp32", batch=4, model=model).prompts
    assert told == {"query": "ask: ", "passage": "told: "}
    other = job(tmp_path / "other", base, query_prompt="find: ")
    model = load_encoder(base, other.settings).model
    assert training_arguments(other, "fp32", batch=4, model=model).prompts["query"] == "find: "


def test_a_mini_batch_is_as_wide_as_its_own_longest_text(tmp_path):
    """Rows go by the length of their passage, a row's columns together, and the loss is that of any order."""
    encoder = load_encoder(save_tiny_retriever(tmp_path / "base"), SETTINGS)
    model, texts = encoder.model.train(), ["fox " * count for count in (3, 20, 1, 9, 14, 2)]
    rows = [{"query": f"{'fox ' * (1 + place % 3)}", "passage": text} for place, text in enumerate(texts)]
    collate = ByLength(SentenceTransformerDataCollator(model.preprocess))
    losses, widths = [], []
    for order in (rows, rows[::-1]):
        batch = collate(order)
        asked = [{"input_ids": batch[f"{name}_input_ids"], "attention_mask": batch[f"{name}_attention_mask"]}
                 for name in ("query", "passage")]  # fmt: skip
        lengths = asked[1]["attention_mask"].sum(dim=1).tolist()
        assert lengths == sorted(lengths, reverse=True)
        loss = CachedMultipleNegativesRankingLoss(model, mini_batch_size=2)
        forward, widths = model.forward, []

        def seen(features, *more, forward=forward, widths=widths, **named):
            widths.append(features["input_ids"].shape[1])
            return forward(features, *more, **named)

        model.forward = seen
        losses.append(loss(asked, torch.zeros(len(rows))).item())
        model.forward = forward
        assert widths[-3:] == lengths[::2]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_pairs_of_one_passage_are_refused(tmp_path):
    """Nothing can be told apart."""
    one = job(tmp_path, plain_folder())
    file = one.pairs / "pairs.parquet"
    rows = [row | {"passages": [0]} for row in pq.read_table(file).to_pylist() if row["split"] == "train"]
    pq.write_table(pa.Table.from_pylist(rows), file)
    with pytest.raises(UserError, match="all 12 training pairs are answered by one and the same passage"):
        train(one)


def test_nothing_of_the_held_out_side_is_read(tmp_path):
    """Neither its queries nor its passages, as negatives too."""
    pairs = read_pairs(write_pairs(tmp_path))
    assert (len(pairs), len(pairs.texts)) == (12, 24)
    encoder = Encoder.load(plain_folder())
    wrong = hard_negatives(pairs, encoder, 3, seed=0)
    assert wrong.shape == (12, 3)
    for answers, places in zip(pairs.answers, wrong, strict=True):
        right = {pairs.texts[place] for place in answers}
        assert len(set(places.tolist())) == 3
        assert right.isdisjoint(pairs.texts[place] for place in places)
    rows = pairs.rows(wrong)
    assert rows.column_names == ["query", "passage", "wrong_1", "wrong_2", "wrong_3"]
    assert rows[0]["passage"] == pairs.texts[0]


def test_a_training_that_diverges_says_so(tmp_path, monkeypatch):
    """A loss that is no number ends it, with what to do."""
    from tasks.embed_model import training

    loss_of = training.loss_of

    def broken(model, job):
        loss = loss_of(model, job)
        forward = loss.forward
        loss.forward = lambda *args, **kwargs: forward(*args, **kwargs) * float("nan")
        return loss

    monkeypatch.setattr(training, "loss_of", broken)
    with pytest.raises(UserError, match=r"diverged: the loss is nan at step 1\. Lower embed\.learning_rate"):
        train(job(tmp_path, plain_folder()))


def test_vectors_shorter_than_asked_for_are_refused():
    """The message names the number, and the model's own."""
    with pytest.raises(UserError, match=r"matryoshka_dims has 64, but the model's vectors have 32"):
        load_encoder(plain_folder(), SETTINGS.model_copy(update={"matryoshka_dims": [16, 64]}))
