"""A batch as tensors: padded windows, pairs of segments, or one packed row, and where its masked tokens are.

It holds what the model needs, and nothing that would make it compute more. It is one typed object from here
to the loss; only transformers' Trainer, which counts the labels and moves a batch to the device, sees a dict.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from tasks.train_model.batches.counting import Flags, Tokens
from tasks.train_model.batches.masking import IGNORED
from tasks.train_model.batches.pairs import PairRows

ROWS, QUERIES = 32, 8
"""Multiples to which the masked rows of a batch, and of a window, are filled up. A new shape is compiled
anew on a CPU, for milliseconds and megabytes that stay (60 steps of a small model peaked at 1.6 GB)."""


@dataclass(frozen=True, slots=True)
class MaskedPlaces:
    """Where a batch's masked tokens are. They come first; fillers round their number up to `ROWS`."""

    rows: Tensor
    """(rows,) in the flattened batch."""
    queries: Tensor
    """(batch, most masked of a window) as positions, padded with 0."""
    query_rows: Tensor
    """(rows,) in the flattened `queries`."""
    pairs: int = 0
    """How many of the rows, at their end, are the first ones of pairs of segments, which the pooler reads."""
    query_ends: Tensor | None = None
    """(windows + 1,) of a packed row: where each window's queries begin, and the last one's end."""
    most_queries: int = 0
    """The most queries of a window of a packed row."""

    @property
    def masked(self) -> int:
        """How many of the rows are masked tokens."""
        return len(self.rows) - self.pairs

    def ends(self, told: dict[str, Any]) -> dict[str, Any]:
        """Where the windows of a packed row end for the last layer, which has fewer queries than keys.

        Args:
            told: what the model's layers were told.
        """
        if self.query_ends is None:
            return {}
        keys = {name: told[name] for name in ("cu_seq_lens_k", "max_length_k")}
        return keys | {"cu_seq_lens_q": self.query_ends, "max_length_q": self.most_queries}


@dataclass(frozen=True, slots=True)
class PairLabels:
    """What the second head must tell of a batch's pairs."""

    labels: Tensor
    """(pairs,) `next_sentence_label`, or `IGNORED` for a filler."""
    in_step: int
    """Pairs of all micro-batches of all processes of the optimizer step."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What one forward pass computes, and what must come out."""

    inputs: dict[str, Any]
    """What the model takes, by its own names: `input_ids` (batch, positions) and what goes with them."""
    labels: Tensor
    """(masked rows,) the tokens to predict; `IGNORED` for the fillers, which come last."""
    places: MaskedPlaces
    pairs: PairLabels | None = None
    """Of a batch of pairs."""

    @property
    def computed(self) -> int:
        """Tokens, padding included."""
        return int(self.inputs["input_ids"].numel())

    @property
    def real(self) -> Tensor | int:
        """Tokens without padding; not read here, since a GPU would finish all its work first."""
        mask = self.inputs.get("attention_mask")
        return self.computed if mask is None else mask.sum()

    def to(self, device: torch.device) -> Self:
        """The batch on a device."""
        return self.from_dict(_moved(self.as_dict(), device))

    def as_dict(self) -> dict[str, Any]:
        """The batch as the Trainer takes it: it knows `labels` and `input_ids`, and moves what is nested."""
        parts = {"places": _shallow(self.places)}
        if self.pairs is not None:
            parts["pairs"] = _shallow(self.pairs)
        return {**self.inputs, "labels": self.labels, **parts}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The batch that `as_dict` wrote, wherever its tensors are by now."""
        inputs = dict(values)
        labels, places, pairs = inputs.pop("labels"), inputs.pop("places"), inputs.pop("pairs", None)
        return cls(inputs, labels, MaskedPlaces(**places), None if pairs is None else PairLabels(**pairs))


def _shallow(part: MaskedPlaces | PairLabels) -> dict[str, Any]:
    """Its fields by name; `asdict` would copy every tensor."""
    return {field.name: getattr(part, field.name) for field in fields(part)}


def _moved(values: dict[str, Any], device: torch.device) -> dict[str, Any]:
    """Tensors on a device, also nested ones; plain numbers stay."""
    return {
        name: _moved(value, device)
        if isinstance(value, dict)
        else value.to(device)
        if isinstance(value, Tensor)
        else value
        for name, value in values.items()
    }


def round_up(number: int, multiple: int) -> int:
    """The next multiple, and at least one of it."""
    return max(-(-number // multiple), 1) * multiple


def padded_batch(seen: Tokens, labels: Tokens, real: Flags) -> Batch:
    """Windows one below the other, padded to the longest.

    Of the inputs there are `input_ids` (batch, positions), and `attention_mask` likewise, but only where
    there is padding, since attention without a mask has the faster kernels.
    """
    masked = labels != IGNORED
    window, position = np.nonzero(masked)
    counts = masked.sum(axis=1)
    most = round_up(int(counts.max(initial=0)), QUERIES)
    fillers = (0, round_up(len(window), ROWS) - len(window))
    place = np.arange(len(window)) - np.repeat(np.cumsum(counts) - counts, counts)
    queries = np.zeros((len(seen), most), np.int64)
    queries[window, place] = position
    inputs = {"input_ids": torch.from_numpy(seen)}
    if not real.all():
        inputs["attention_mask"] = torch.from_numpy(real.astype(np.int64))
    places = MaskedPlaces(
        rows=torch.from_numpy(np.pad(window * seen.shape[1] + position, fillers)),
        queries=torch.from_numpy(queries),
        query_rows=torch.from_numpy(np.pad(window * most + place, fillers)),
    )
    wanted = np.pad(labels[window, position], fillers, constant_values=IGNORED)
    return Batch(inputs, torch.from_numpy(wanted), places)


def pair_batch(seen: Tokens, labels: Tokens, rows: PairRows, in_step: int) -> Batch:
    """Pairs of segments one below the other, as `padded_batch` lays windows out.

    After the masked tokens, `rows` and `query_rows` point at each pair's [CLS], which stands first in
    `queries`. The inputs also have `token_type_ids` (batch, positions).
    """
    batch = padded_batch(seen, labels, rows.real)
    pairs, positions = seen.shape
    queries = torch.nn.functional.pad(batch.places.queries, (1, 0))
    width = queries.shape[1]
    old = batch.places.query_rows
    firsts = torch.arange(pairs)
    places = MaskedPlaces(
        rows=torch.cat((batch.places.rows, firsts * positions)),
        queries=queries,
        query_rows=torch.cat((old + old // (width - 1) + 1, firsts * width)),
        pairs=pairs,
    )
    inputs = batch.inputs | {"token_type_ids": torch.from_numpy(rows.types)}
    return Batch(inputs, batch.labels, places, PairLabels(torch.from_numpy(rows.labels), in_step))


def packed_batch(seen: Tokens, labels: Tokens, real: Flags, first_position: int = 0) -> Batch:
    """Windows end to end in one row, without padding.

    The inputs are `input_ids` and `position_ids` (1, tokens); for attention `cu_seq_lens_q` and
    `cu_seq_lens_k` (windows + 1,), where each window begins and the last one ends, and `max_length_q`,
    `max_length_k`. For the last layer, whose queries are the masked rows alone, `places` tells the same.

    Args:
        first_position: of a window's first token, 0 but for RoBERTa and its kin.
    """
    lengths = real.sum(axis=1)
    ends = np.append(0, lengths.cumsum())
    targets = labels[real]
    rows = np.flatnonzero(targets != IGNORED)
    fillers = (0, round_up(len(rows), ROWS) - len(rows))
    queries = (labels != IGNORED).sum(axis=1)
    queries[-1] += fillers[1]  # which then ask the last window, and nobody reads what it says
    positions = (np.arange(ends[-1]) - ends[:-1].repeat(lengths))[None] + first_position
    longest = int(lengths.max(initial=0))
    arrays = {"input_ids": seen[real][None], "position_ids": positions}
    arrays |= {name: ends.astype(np.int32) for name in ("cu_seq_lens_q", "cu_seq_lens_k")}
    inputs = {name: torch.from_numpy(array) for name, array in arrays.items()}
    padded = torch.from_numpy(np.pad(rows, fillers))
    places = MaskedPlaces(
        rows=padded,
        queries=padded[None],
        query_rows=torch.arange(len(padded)),
        query_ends=torch.from_numpy(np.append(0, queries.cumsum()).astype(np.int32)),
        most_queries=int(queries.max(initial=0)),
    )
    wanted = np.pad(targets[rows], fillers, constant_values=IGNORED)
    return Batch(
        inputs | {"max_length_q": longest, "max_length_k": longest}, torch.from_numpy(wanted), places
    )
