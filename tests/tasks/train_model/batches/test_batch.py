"""A batch's tensors: where its masked tokens are, and the same batch behind the Trainer's door."""

import ast
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import Trainer, TrainingArguments

from tasks.train_model import batches
from tasks.train_model.batches.batch import ROWS, Batch, packed_batch, padded_batch, pair_batch
from tasks.train_model.batches.loader import EpochLoader, EpochOrder, for_trainer
from tasks.train_model.batches.masking import IGNORED
from tasks.train_model.batches.order import WindowOrder
from tests.tasks.train_model.batches.test_loader import exact, leaves, masked_batches, nsp_pairs

SEEN = np.arange(18).reshape(3, 6)
REAL = np.arange(6)[None] < np.array([[6], [4], [6]])


def labels_of(*masked: tuple[int, int]) -> np.ndarray:
    """Labels of `SEEN` that are 10 more than what is seen, at some places."""
    labels = np.full((3, 6), IGNORED)
    for place in masked:
        labels[place] = SEEN[place] + 10
    return labels


MASKED = labels_of((0, 1), (0, 4), (2, 2), (2, 3), (2, 5))


@pytest.fixture
def pairs(tokenized: Path) -> Batch:
    """Three pairs, of which the first and the last have masked tokens."""
    found = nsp_pairs(tokenized).rows(np.array([1, 2, 3]), 0, 0)
    labels = np.full(found.ids.shape, IGNORED)
    labels[0, [2, 5]] = labels[2, [1, 3, 4]] = 7
    return pair_batch(found.ids, labels, found, 3)


def test_places_point_at_the_masked_tokens() -> None:
    """Rows, queries and their rows all lead to the same tokens, also for a window without any mask."""
    batch = padded_batch(SEEN, MASKED, np.ones((3, 6), bool))
    ids, places = batch.inputs["input_ids"], batch.places
    assert ids.flatten()[places.rows][:5].tolist() == [1, 4, 14, 15, 17]
    gathered = ids.gather(1, places.queries).flatten()
    assert gathered[places.query_rows][:5].tolist() == [1, 4, 14, 15, 17]
    assert batch.labels[:5].tolist() == [11, 14, 24, 25, 27]
    assert (batch.labels[5:] == IGNORED).all(), "what fills up the rows has no label"
    assert len(batch.labels) == ROWS == len(places.rows) == len(places.query_rows) == places.masked
    assert batch.inputs.keys() == {"input_ids"}, "without padding there is no mask"


def test_places_of_pairs_point_at_masked_tokens_and_first_ones(pairs: Batch) -> None:
    """Rows and queries lead to the masked tokens first and then to each pair's [CLS]."""
    ids, places = pairs.inputs["input_ids"], pairs.places
    # Between them may be fillers, which have no label.
    ends = torch.tensor([0, 1, 2, 3, 4, -3, -2, -1])
    assert (pairs.labels[5:] == IGNORED).all()
    expected = [*ids[0, [2, 5]].tolist(), *ids[2, [1, 3, 4]].tolist(), 2, 2, 2]
    assert ids.flatten()[places.rows[ends]].tolist() == expected
    gathered = ids.gather(1, places.queries).flatten()
    assert gathered[places.query_rows[ends]].tolist() == expected
    assert places.pairs == 3
    assert places.masked == len(pairs.labels)


def test_places_of_a_packed_row_point_at_the_masked_tokens() -> None:
    """In one row of all windows, too; and each window's queries end where it says."""
    batch = packed_batch(SEEN, MASKED, REAL)
    ids, places = batch.inputs["input_ids"], batch.places
    assert ids.shape == (1, 16)
    assert ids[0, places.rows][:5].tolist() == [1, 4, 14, 15, 17]
    assert ids.gather(1, places.queries)[0, places.query_rows][:5].tolist() == [1, 4, 14, 15, 17]
    assert batch.inputs["cu_seq_lens_q"].tolist() == [0, 6, 10, 16]
    assert places.query_ends is not None
    assert places.query_ends.tolist() == [0, 2, 2, ROWS], "fillers ask the last window"
    assert places.most_queries == ROWS - 2


def test_tokens_are_counted_with_padding_and_without() -> None:
    """A mask tells the real ones; a batch without one, and a packed row, have no others."""
    padded, packed = padded_batch(SEEN, MASKED, REAL), packed_batch(SEEN, MASKED, REAL)
    full = padded_batch(SEEN, MASKED, np.ones((3, 6), bool))
    counts = [(int(batch.real), batch.computed) for batch in (padded, packed, full)]
    assert counts == [(16, 18), (16, 16), (18, 18)]


def layouts(pairs: Batch) -> list[Batch]:
    """A batch of each layout."""
    return [padded_batch(SEEN, MASKED, REAL), packed_batch(SEEN, MASKED, REAL, 2), pairs]


class Elsewhere(TrainingArguments):
    """A run on a device that has shapes and no memory: what is there has been moved."""

    @property
    def device(self) -> torch.device:
        """That device, once the real one is set up."""
        return torch.device("meta") if super().device else None


class Taker(Trainer):
    """A Trainer that shows what a training step is given."""

    taken: dict[str, Any]

    def compute_loss(self, model: Any, inputs: dict[str, Any], *_: Any, **__: Any) -> torch.Tensor:
        """Take the inputs, and have something to go back from."""
        self.taken = inputs
        return torch.ones((), requires_grad=True)


@pytest.mark.parametrize("layout", [0, 1, 2])
def test_the_trainer_counts_and_moves_the_whole_batch(pairs: Batch, tmp_path: Path, layout: int) -> None:
    """Of the dict it counts the labels, and it moves every tensor, however deep, and nothing else."""
    batch = layouts(pairs)[layout]
    arguments = Elsewhere(output_dir=str(tmp_path), use_cpu=True, report_to=[])
    trainer = Taker(torch.nn.Linear(1, 1), arguments)
    trainer.model_accepts_loss_kwargs = True
    values = batch.as_dict()
    (first, _), count = trainer.get_batch_samples(iter([values, values]), 2, torch.device("cpu"))
    assert int(count) == 2 * int((batch.labels != IGNORED).sum())
    trainer.training_step(trainer.model, first, count)
    moved = Batch.from_dict(trainer.taken)
    for (name, value), (_, before) in zip(leaves(moved.as_dict()), leaves(values), strict=True):
        if isinstance(value, torch.Tensor):
            assert value.device.type == "meta", name
            assert (value.shape, value.dtype) == (before.shape, before.dtype)
        else:
            assert value == before, name


@pytest.mark.skipif(not torch.cuda.is_available(), reason="memory is pinned for a GPU")
def test_the_whole_batch_is_pinned(tokenized: Path) -> None:
    """A GPU copies from pinned memory: every tensor, however deep, is there."""
    batches = masked_batches(tokenized, pairs=nsp_pairs(tokenized))
    order = EpochOrder(WindowOrder(lengths=batches.windows.lengths, seed=3, batch_size=8))
    for values in EpochLoader(batches, batch_sampler=order, collate_fn=for_trainer, pin_memory=True):
        assert all(value.is_pinned() for _, value in leaves(values) if isinstance(value, torch.Tensor))


def test_a_batch_comes_back_from_the_dict_as_it_was(pairs: Batch) -> None:
    """Nothing is lost on the way, and the dict itself is left as it was."""
    for batch in layouts(pairs):
        values = batch.as_dict()
        before = exact(values)
        again = Batch.from_dict(values)
        assert exact(values) == before == exact(again.as_dict())
        assert again.inputs.keys() == batch.inputs.keys()
        assert (again.pairs is None) == (batch.pairs is None)


def test_a_batch_moves_as_a_whole(pairs: Batch) -> None:
    """Every tensor goes to the device, however deep, and plain numbers stay."""
    for batch in layouts(pairs):
        moved = batch.to(torch.device("meta"))
        for (name, value), (_, before) in zip(leaves(moved.as_dict()), leaves(batch.as_dict()), strict=True):
            assert value.device.type == "meta" if isinstance(before, torch.Tensor) else value == before, name


def test_what_is_drawn_needs_numpy_alone() -> None:
    """Order, masks and pairs can be drawn and tested without torch: only their tensors and loader have it."""
    (folder,) = batches.__path__
    allowed = {*sys.stdlib_module_names, "numpy", "tasks"}
    others = {}
    for path in Path(folder).glob("*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
        names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
        others[path.name] = {name.split(".")[0] for name in names} - allowed
    assert {name for name, found in others.items() if found} == {"batch.py", "loader.py"}
    assert others["batch.py"] == others["loader.py"] == {"torch"}
