"""The tensors of a batch: what the model needs of it, and nothing that would make it compute more."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tasks.train_model.batches.counting import Tokens
from tasks.train_model.batches.masking import IGNORED
from tasks.train_model.batches.pairs import PairRows

ROWS, QUERIES = 32, 8
"""Multiples to which the masked rows of a batch, and of a window, are filled up. A new shape is compiled
anew on a CPU, for milliseconds and megabytes that stay (60 steps of a small model peaked at 1.6 GB)."""


def round_up(number: int, multiple: int) -> int:
    """The next multiple, and at least one of it."""
    return max(-(-number // multiple), 1) * multiple


def batch_tensors(seen: Tokens, labels: Tokens, real: npt.NDArray[np.bool_]) -> dict[str, torch.Tensor]:
    """The windows of a batch one below the other, padded to the longest.

    Returns:
        `input_ids` (batch, positions); `attention_mask` likewise, but only where there is padding, since
        attention without a mask has the faster kernels; `labels` (rows,), the tokens to predict; and
        where they are: `rows` (rows,) in the flattened batch, `queries` (batch, most masked of a window)
        as positions, padded with 0, and `query_rows` (rows,) in the flattened `queries`. The masked tokens
        come first; fillers, labelled `IGNORED`, round their number up to `ROWS`.
    """
    masked = labels != IGNORED
    window, position = np.nonzero(masked)
    counts = masked.sum(axis=1)
    most = round_up(int(counts.max(initial=0)), QUERIES)
    fillers = (0, round_up(len(window), ROWS) - len(window))
    place = np.arange(len(window)) - np.repeat(np.cumsum(counts) - counts, counts)
    queries = np.zeros((len(seen), most), np.int64)
    queries[window, place] = position
    tensors = {
        "input_ids": seen,
        "labels": np.pad(labels[window, position], fillers, constant_values=IGNORED),
        "rows": np.pad(window * seen.shape[1] + position, fillers),
        "queries": queries,
        "query_rows": np.pad(window * most + place, fillers),
    }
    if not real.all():
        tensors["attention_mask"] = real.astype(np.int64)
    return {name: torch.from_numpy(array) for name, array in tensors.items()}


def pair_tensors(seen: Tokens, labels: Tokens, rows: PairRows, in_step: int) -> dict[str, torch.Tensor]:
    """What `batch_tensors` gives, and what the second objective needs.

    After the masked tokens, `rows` and `query_rows` point at each pair's [CLS], which stands first in
    `queries`. New are `token_type_ids` (batch, positions), `next_sentence_label` (batch,), `pairs_in_step`.
    """
    tensors = batch_tensors(seen, labels, rows.real)
    pairs, positions = seen.shape
    queries = torch.nn.functional.pad(tensors["queries"], (1, 0))
    width = queries.shape[1]
    old = tensors["query_rows"]
    firsts = torch.arange(pairs)
    tensors["queries"] = queries
    tensors["query_rows"] = torch.cat((old + old // (width - 1) + 1, firsts * width))
    tensors["rows"] = torch.cat((tensors["rows"], firsts * positions))
    tensors["token_type_ids"] = torch.from_numpy(rows.types)
    tensors["next_sentence_label"] = torch.from_numpy(rows.labels)
    tensors["pairs_in_step"] = torch.tensor(in_step)
    return tensors


def packed_tensors(
    seen: Tokens, labels: Tokens, real: npt.NDArray[np.bool_], first_position: int = 0
) -> dict[str, Any]:
    """What `batch_tensors` gives, for the same windows in one row.

    Args:
        first_position: of a window's first token, 0 but for RoBERTa and its kin.

    Returns:
        `input_ids` and `position_ids` (1, tokens); `labels`, `rows`, `query_rows` (rows,) and `queries`
        (1, rows), fillers last as in `batch_tensors`; for attention `cu_seq_lens_q` and `cu_seq_lens_k`
        (windows + 1,), where each window begins and the last one ends, and `max_length_q`, `max_length_k`;
        for the last layer, whose queries are the masked rows alone, `query_ends` and `most_queries` likewise.
    """
    lengths = real.sum(axis=1)
    ends = np.append(0, lengths.cumsum())
    targets = labels[real]
    rows = np.flatnonzero(targets != IGNORED)
    fillers = (0, round_up(len(rows), ROWS) - len(rows))
    queries = (labels != IGNORED).sum(axis=1)
    queries[-1] += fillers[1]  # which then ask the last window, and nobody reads what it says
    padded = np.pad(rows, fillers)
    arrays = {
        "input_ids": seen[real][None],
        "position_ids": (np.arange(ends[-1]) - ends[:-1].repeat(lengths))[None] + first_position,
        "labels": np.pad(targets[rows], fillers, constant_values=IGNORED),
        "rows": padded,
        "queries": padded[None],
        "query_rows": np.arange(len(padded)),
        "cu_seq_lens_q": ends.astype(np.int32),
        "cu_seq_lens_k": ends.astype(np.int32),
        "query_ends": np.append(0, queries.cumsum()).astype(np.int32),
    }
    longest = int(lengths.max(initial=0))
    numbers = {"max_length_q": longest, "max_length_k": longest, "most_queries": int(queries.max(initial=0))}
    return {name: torch.from_numpy(array) for name, array in arrays.items()} | numbers


@dataclass(frozen=True, slots=True)
class MaskedPlaces:
    """Where a batch's masked tokens are, as `batch_tensors` gives them."""

    rows: Tensor
    queries: Tensor
    query_rows: Tensor
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
