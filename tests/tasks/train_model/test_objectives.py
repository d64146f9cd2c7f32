"""Both objectives in one run: right losses, exact resume, heads kept or begun, four ways to load."""

import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset, DatasetDict
from safetensors.torch import load_file
from torch import nn
from transformers import (
    AutoModel,
    BertConfig,
    BertForMaskedLM,
    BertForNextSentencePrediction,
    BertForPreTraining,
    DistilBertConfig,
    DistilBertForMaskedLM,
)

from tasks.errors import UserError
from tasks.train_model.batches.masking import IGNORED
from tasks.train_model.batches.order import FILLER, MicroBatch, PairOrder
from tasks.train_model.model.evaluation import evaluate_pairs
from tasks.train_model.model.heads import SparseRows, masked_logits, masked_loss, mlm_logits, pair_loss
from tasks.train_model.model.loading import keep_pair_head, load_model
from tasks.train_model.settings import TrainSettings
from tasks.train_model.training import TrainJob, train
from tests.tasks.train_model.batches.test_loader import masked_batches, nsp_pairs
from tests.tasks.train_model.conftest import TINY
from tests.tasks.train_model.test_everywhere import GLOBAL, SPLIT, launch
from tests.tasks.train_model.test_training import interrupt_at, run, same

FIT: dict[str, Any] = {"vocab_size": 125, "pad_token_id": 0, "max_seq_length": 40, "seed": 1}
PAIRS: dict[str, Any] = {"objective": "mlm+nsp", "masking": "whole_word", "final_mlm_probability": 0.05}


def tiny(**changes: Any) -> BertForPreTraining:
    """A tiny BERT with both heads and without dropout."""
    torch.manual_seed(0)
    sizes = TINY.model_dump(exclude={"vocab_size", "lowercase"})
    plain = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    return BertForPreTraining(BertConfig(vocab_size=125, **sizes, **plain, **changes))


@pytest.mark.parametrize("depth", ["last layer", "head", "none"])
def test_both_losses_and_gradients_are_the_dense_ones(tokenized: Path, depth: Any) -> None:
    """Sparse or not, loss and gradients are those of BertForPreTraining with both labels given."""
    batches = masked_batches(tokenized, rate=0.2, final_rate=0.2, pairs=nsp_pairs(tokenized))
    batch = batches[MicroBatch(0, 0, (3, 0, 9, 17), 4)]
    rows = batches.pairs.rows(np.array([3, 0, 9, 17]), 0, 0) if batches.pairs else None
    assert rows is not None
    seen, labels = batches.masker(
        rows.ids, rows.real, np.array([3, 0, 9, 17]), 0, 0.2, begins=rows.begins, code=rows.code
    )
    dense, model = tiny(), tiny()
    expected = dense(
        input_ids=torch.from_numpy(seen),
        attention_mask=torch.from_numpy(rows.real).long(),
        token_type_ids=torch.from_numpy(rows.types),
        labels=torch.from_numpy(labels),
        next_sentence_label=torch.from_numpy(rows.labels),
    ).loss
    sparse = SparseRows(model)
    assert sparse.depth == "last layer"
    sparse.depth = depth
    assert batch.pairs is not None
    assert batch.pairs.in_step == 4
    with sparse.at(batch.places):
        output = model(**batch.inputs)
    count = int((batch.labels != IGNORED).sum())
    loss = masked_loss(masked_logits(mlm_logits(output), batch.places), batch.labels, count)
    loss = loss + pair_loss(output.seq_relationship_logits, batch.pairs.labels, batch.pairs.in_step)
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-6)
    expected.backward()
    loss.backward()
    gradients = dict(model.named_parameters())
    for name, parameter in dense.named_parameters():
        torch.testing.assert_close(gradients[name].grad, parameter.grad, rtol=1e-3, atol=1e-6, msg=name)


def test_losses_are_shares_of_the_step() -> None:
    """The parts of a step, one of them a filler without pairs, add up to the loss of the whole."""
    logits, labels = torch.randn(7, 2), torch.tensor([0, 1, 1, 0, 1, 0, 0])
    whole = pair_loss(logits, labels, 7)
    filler = pair_loss(torch.randn(1, 2), torch.tensor([IGNORED]), 7)
    parts = pair_loss(logits[:2], labels[:2], 7) + pair_loss(logits[2:], labels[2:], torch.tensor(7)) + filler
    torch.testing.assert_close(whole, parts)


@pytest.mark.parametrize("split", [(1, 1, 12), (3, 2, 2), (2, 1, 6)])
def test_pairs_are_the_same_for_any_split_of_the_work(tokenized: Path, split: tuple[int, int, int]) -> None:
    """However many processes and accumulation steps, a step has the same pairs, each once an epoch."""
    pairs = nsp_pairs(tokenized)
    ranks, accumulation, size = split
    order = PairOrder(
        lengths=pairs.table(0).lengths,
        pairs=pairs,
        seed=5,
        batch_size=size,
        accumulation=accumulation,
        ranks=ranks,
    )
    whole = PairOrder(lengths=pairs.table(0).lengths, pairs=pairs, seed=5, batch_size=12)
    steps: dict[int, list[int]] = {}
    for rank in range(ranks):
        for batch in order.micro_batches(1, rank):
            steps.setdefault(batch.step, []).extend(p for p in batch.windows if p != FILLER)
            assert batch.in_step == len(
                list(whole.micro_batches(1, 0))[batch.step - order.steps_per_epoch].windows
            )
    expected = {batch.step: sorted(batch.windows) for batch in whole.micro_batches(1, 0)}
    assert {step: sorted(found) for step, found in steps.items()} == expected
    assert sorted(pair for found in steps.values() for pair in found) == list(range(len(pairs)))


@pytest.mark.parametrize("stops", [(6,), (3, 14)])
def test_resume_is_exact_with_pairs(tokenized: Path, tmp_path: Path, stops: tuple[int, ...]) -> None:
    """With pairs, whole words, a falling rate and accumulation, an interrupted run ends in equal weights."""
    changes = PAIRS | {"per_device_train_batch_size": 4, "gradient_accumulation_steps": 2}
    changes |= {"logging_steps": 1, "eval_steps": 5}
    whole, weights = run(tokenized, tmp_path / "whole", **changes)
    for stop in stops:
        with pytest.raises(KeyboardInterrupt):
            run(tokenized, tmp_path / "parts", resume=True, on_progress=interrupt_at(stop), **changes)
    resumed, again = run(tokenized, tmp_path / "parts", resume=True, **changes)
    assert resumed.resumed_from_step == stops[-1] + 1
    assert resumed.history == whole.history
    assert resumed.eval_after == whole.eval_after
    assert same(weights, again)


def test_accumulation_changes_no_loss(tokenized: Path, tmp_path: Path) -> None:
    """Both losses together are the same, to rounding, for a batch of 8 and for four of 2."""
    changes = {"objective": "mlm+sop", "hidden_dropout": 0.0, "logging_steps": 1, "num_train_epochs": 1}
    whole, _ = run(tokenized, tmp_path / "whole", **changes)
    split = {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 4}
    parts, _ = run(tokenized, tmp_path / "parts", **changes, **split)
    losses = [[point["loss"] for point in one.history] for one in (whole, parts)]
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)
    assert parts.eval_after == pytest.approx(whole.eval_after, rel=1e-3)


def test_two_processes_are_one_run(tokenized: Path, tmp_path: Path) -> None:
    """With pairs, 2 processes × 2 × 2 give the losses and figures of 1 × 8."""
    alone, _ = launch(tokenized, tmp_path / "alone", **GLOBAL | PAIRS)
    both, _ = launch(tokenized, tmp_path / "both", **SPLIT | PAIRS | {"processes": 2})
    losses = [[point["loss"] for point in one.history] for one in (both, alone)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    assert both.eval_after == pytest.approx(alone.eval_after, rel=1e-3)


@pytest.mark.parametrize("kind", ["nsp", "sop"])
def test_a_model_of_two_heads_loads_in_four_ways(tokenized: Path, tmp_path: Path, kind: str) -> None:
    """What is written loads as each of its parts with nothing missing, and tells its held-out accuracy."""
    report, weights = run(tokenized, tmp_path, objective=f"mlm+{kind}", max_steps=3)
    folder = tmp_path / "out" / "model"
    for architecture in (BertForPreTraining, BertForMaskedLM, BertForNextSentencePrediction, AutoModel):
        model, info = architecture.from_pretrained(folder, output_loading_info=True)
        assert not info["missing_keys"], architecture
        found = model.state_dict()
        assert "bert.embeddings.word_embeddings.weight" in weights
        prefix = "bert." if architecture is AutoModel else ""
        shared = {name: prefix + name for name in found if prefix + name in weights}
        assert len(shared) > 30
        assert all(torch.equal(found[name], weights[saved]) for name, saved in shared.items())
    for figures in (report.eval_before, report.eval_after):
        assert figures is not None
        assert 0 <= figures[f"{kind}_accuracy"] <= 1
        assert figures[f"{kind}_pairs"] > 5
        assert figures["masked_tokens"] > 50


def ordered(folder: Path, tokenized: Path) -> Path:
    """Documents of two sentences, the first of other words than the second: their order can be learned."""
    generator, splits = np.random.default_rng(0), {}
    for split, count in (("train", 60), ("eval", 30)):
        words = generator.integers(5, 11, (count, 28)) + 12 * (np.arange(28) >= 14)
        splits[split] = Dataset.from_dict(
            {
                "input_ids": [[2, *row.tolist(), 3] for row in words],
                "code": [[False] * 30] * count,
                "boundaries": [[1, *(1 + (i % 14 == 0) for i in range(28)), 1]] * count,
                "document": list(range(count)),
            }
        )
    DatasetDict(splits).save_to_disk(str(folder / "windows"))
    (folder / "tokenizer").symlink_to(tokenized / "tokenizer")
    return folder


def test_the_second_head_learns(tokenized: Path, tmp_path: Path) -> None:
    """Trained together, both heads learn: the loss falls, and held-out pairs are told in the right order."""
    report, _ = run(
        ordered(tmp_path, tokenized),
        tmp_path,
        objective="mlm+sop",
        num_train_epochs=15,
        learning_rate=3e-3,
        save_steps=10_000,
        hidden_dropout=0.0,
    )
    assert report.eval_after is not None
    assert report.eval_before is not None
    assert report.eval_after["loss"] < report.eval_before["loss"]
    assert report.eval_after["sop_accuracy"] > 0.9


def test_held_out_pairs_are_measured_one_by_one(tokenized: Path) -> None:
    """In batches with a sparse last layer, the figures are those of single pairs with a dense model."""
    model, pairs = tiny(), nsp_pairs(tokenized, "eval")
    found = evaluate_pairs(model, SparseRows(model), pairs, 0)
    dense, losses, hits = tiny().eval(), [], []
    for pair in range(len(pairs)):
        rows = pairs.rows(np.array([pair]), 0, 0)
        with torch.no_grad():
            logits = dense(
                input_ids=torch.from_numpy(rows.ids), token_type_ids=torch.from_numpy(rows.types)
            ).seq_relationship_logits
        labels = torch.from_numpy(rows.labels)
        losses.append(nn.functional.cross_entropy(logits, labels).item())
        hits.append(float(logits.argmax(-1).item() == labels.item()))
    assert found["nsp_loss"] == pytest.approx(np.mean(losses), rel=1e-5)
    assert found["nsp_accuracy"] == pytest.approx(np.mean(hits))
    assert found["nsp_pairs"] == len(pairs)


def test_a_checkpoint_without_nsp_head_gets_one(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Training NSP from a model of MLM alone works, with a fresh head by the seed, and the log says so."""
    config = BertConfig(vocab_size=125, **TINY.model_dump(exclude={"vocab_size", "lowercase"}))
    BertForMaskedLM(config).save_pretrained(tmp_path)
    with caplog.at_level(logging.WARNING, "docs_mlm"):
        model = load_model(tmp_path, **FIT, pairs=True)
    assert "no weights for its NSP head, which starts afresh" in caplog.text
    assert "MLM head" not in caplog.text
    assert isinstance(model, BertForPreTraining)
    again = load_model(tmp_path, **FIT, pairs=True)
    assert same(model.state_dict(), again.state_dict())


def test_mlm_keeps_the_nsp_head_of_its_checkpoint(tokenized: Path, tmp_path: Path) -> None:
    """A model with both heads, trained on by MLM alone, has its pooler and NSP head as they were."""
    tiny().save_pretrained(tmp_path / "base")
    settings = TrainSettings(max_steps=2, precision="fp32", learning_rate=1e-2)
    folders = {name: tmp_path / name for name in ("output", "checkpoints")}
    for folder in folders.values():
        folder.mkdir()
    train(TrainJob(data=tokenized, settings=settings, location=str(tmp_path / "base"), **folders))
    before = load_file(tmp_path / "base" / "model.safetensors")
    after = load_file(tmp_path / "output" / "model" / "model.safetensors")
    assert before.keys() == after.keys()
    kept = {name for name in before if torch.equal(before[name], after[name])}
    assert {name for name in before if "pooler" in name or "seq_relationship" in name} <= kept
    assert "bert.encoder.layer.0.output.dense.weight" not in kept
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded = BertForPreTraining.from_pretrained(tmp_path / "output" / "model")
    assert loaded.config.architectures == ["BertForPreTraining"]


def test_a_model_of_mlm_alone_is_left_as_it_is(tmp_path: Path) -> None:
    """There is nothing to keep of a checkpoint without an NSP head."""
    config = BertConfig(vocab_size=125, **TINY.model_dump(exclude={"vocab_size", "lowercase"}))
    BertForMaskedLM(config).save_pretrained(tmp_path)
    assert not keep_pair_head(tmp_path, tmp_path)


def test_other_models_have_no_such_head(tmp_path: Path) -> None:
    """A model that is no BERT is refused for pairs, with what to choose; so is a BERT of one segment type."""
    sizes = {"dim": 32, "n_layers": 1, "n_heads": 2, "hidden_dim": 64, "vocab_size": 125}
    DistilBertForMaskedLM(DistilBertConfig(**sizes)).save_pretrained(tmp_path / "distil")
    with pytest.raises(UserError, match=r"'distilbert', which has no head for pairs.*--train.objective mlm"):
        load_model(tmp_path / "distil", **FIT, pairs=True)
    tiny(type_vocab_size=1).save_pretrained(tmp_path / "one")
    with pytest.raises(UserError, match=r"knows 1 type of segment"):
        load_model(tmp_path / "one", **FIT, pairs=True)
