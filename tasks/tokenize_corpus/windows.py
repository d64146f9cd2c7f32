"""Documents' tokens as a table of windows.

`chunk` cuts every document into windows and drops nothing; `truncate` keeps each document's first window,
as the notebook did, which at 128 tokens trains on 7 % of a documentation corpus. A window never spans two
documents.
"""

import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tasks import boundaries
from tasks.boundaries import Levels, boundary_levels, sentence_starts
from tasks.stage.log import stage_logger
from tasks.stage.progress import tell
from tasks.tokenize_corpus.cutting import Ints, boundary_scores, cut_windows
from tasks.tokenize_corpus.fitting import Fit
from tasks.tokenize_corpus.settings import TokenizeSettings

BATCH = 32
"""Documents tokenized at once."""
_AHEAD = 2
"""Batches that are tokenized while one is cut; the tokenizer spreads each over all cores, and waits for its
longest document at the end."""
_LOG_SECONDS = 5.0


def special_frame(tokenizer: Any) -> tuple[list[int], list[int]]:
    """The special tokens that the tokenizer puts before and after a text: for BERT ([CLS], [SEP])."""

    def texts() -> Iterator[str]:
        yield "a"
        yield from tokenizer.get_vocab()  # which may lack "a"

    # [UNK] is special too: what tells is which tokens stand for the text.
    for text in texts():
        encoded_text = tokenizer(text)
        of_text = [place for place, part in enumerate(encoded_text.sequence_ids(0)) if part is not None]
        if of_text:
            ids = encoded_text["input_ids"]
            return ids[: of_text[0]], ids[of_text[-1] + 1 :]
    return [], []


@dataclass(frozen=True, slots=True)
class Tokenized:
    """A document's tokens."""

    index: int
    """Its place in the split."""
    ids: npt.NDArray[np.int32]
    code: npt.NDArray[np.bool_]
    """Which tokens are code."""
    levels: Levels
    """What begins at each token (see `tasks.boundaries`)."""


class WindowTable:
    """Windows of one split, gathered as Arrow columns without a Python object per token."""

    def __init__(self, prefix: list[int], suffix: list[int]) -> None:
        self._prefix, self._suffix = np.array(prefix, np.int32), np.array(suffix, np.int32)
        self._tables: list[pa.Table] = []
        self.tokens = 0
        self.windows = 0

    def add(self, documents: list[Tokenized], cuts: list[Ints]) -> None:
        """Add the windows of some documents.

        Args:
            cuts: for each document, (windows, 2) where each of its windows starts and ends.
        """
        windows = np.concatenate([cut for cut in cuts if len(cut)] or [np.zeros((0, 2), np.int64)])
        if not len(windows):
            return
        before, after = len(self._prefix), len(self._suffix)
        lengths = np.diff(windows)[:, 0]
        bounds = np.concatenate(([0], np.cumsum(lengths + before + after)))
        # Where each token of the text lands among those of the windows.
        places = np.arange(lengths.sum()) + np.repeat(
            bounds[:-1] + before - np.cumsum(lengths) + lengths, lengths
        )
        # A document's windows follow one another from its first token on.
        taken = [slice(0, int(cut[-1, 1]) if len(cut) else 0) for cut in cuts]

        def spread(parts: Iterable[npt.NDArray[Any]], filler: npt.NDArray[Any]) -> npt.NDArray[Any]:
            filler[places] = np.concatenate([part[some] for part, some in zip(parts, taken, strict=True)])
            return filler

        ids = np.empty(bounds[-1], np.int32)
        ids[bounds[:-1, None] + np.arange(before)] = self._prefix
        ids[bounds[1:, None] + np.arange(-after, 0)] = self._suffix
        columns = {
            "input_ids": spread((one.ids for one in documents), ids),
            "code": spread((one.code for one in documents), np.zeros(bounds[-1], np.bool_)),
            "boundaries": spread(
                (one.levels for one in documents), np.full(bounds[-1], boundaries.WORD, np.uint8)
            ),
        }
        offsets = pa.array(bounds, pa.int32())
        lists = {name: pa.ListArray.from_arrays(offsets, pa.array(flat)) for name, flat in columns.items()}
        document = np.repeat([one.index for one in documents], [len(cut) for cut in cuts])
        self._tables.append(pa.table(lists | {"document": pa.array(document, pa.int32())}))
        self.windows += len(windows)
        self.tokens += int(lengths.sum())

    def dataset(self, fingerprint: str) -> Any:
        """The windows as a Hugging Face dataset."""
        from datasets import Dataset

        return Dataset(pa.concat_tables(self._tables).combine_chunks(), fingerprint=fingerprint)


def code_flags(spans: list[dict[str, int]], starts: Ints) -> npt.NDArray[np.bool_]:
    """Which tokens begin inside one of the document's code spans (sorted, characters `start` to `end`)."""
    if not spans:
        return np.zeros(len(starts), np.bool_)
    edges = np.array([(span["start"], span["end"]) for span in spans], np.int64)
    place = np.searchsorted(edges[:, 0], starts, side="right") - 1
    inside: npt.NDArray[np.bool_] = (place >= 0) & (starts < edges[np.maximum(place, 0), 1])
    return inside


def encoded(documents: Any, backend: Any) -> Iterator[tuple[int, Any, Any]]:
    """Batches of documents: the first one's place, the batch, and its encodings, made some batches ahead."""
    with ThreadPoolExecutor(_AHEAD) as ahead:

        def start(first: int) -> tuple[int, Any, Any]:
            batch = documents[first : first + BATCH]
            return first, batch, ahead.submit(backend.encode_batch, batch["text"], add_special_tokens=False)

        waiting: deque[tuple[int, Any, Any]] = deque()
        for place in range(0, len(documents), BATCH):
            waiting.append(start(place))
            if len(waiting) > _AHEAD:
                first, batch, encodings = waiting.popleft()
                yield first, batch, encodings.result()
        for first, batch, encodings in waiting:
            yield first, batch, encodings.result()


@contextmanager
def special_tokens_as_text(backend: Any) -> Iterator[None]:
    """Within, "[MASK]" written in a document is text like any other."""
    before = backend.encode_special_tokens
    backend.encode_special_tokens = True
    try:
        yield
    finally:
        backend.encode_special_tokens = before


def read_tokens(index: int, text: str, spans: list[dict[str, int]], encoding: Any) -> tuple[Tokenized, Ints]:
    """A document's tokens, and (tokens, 2) where each starts and ends in its text.

    Args:
        index: its place in the split.
        spans: character ranges of its code.
    """
    numbers = encoding.ids
    ids = np.fromiter(numbers, np.int32, len(numbers))
    offsets = np.fromiter(chain.from_iterable(encoding.offsets), np.int64, 2 * len(ids)).reshape(-1, 2)
    starts = np.ascontiguousarray(offsets[:, 0])
    levels = boundary_levels(encoding.word_ids, starts, sentence_starts(text, spans))
    return Tokenized(index, ids, code_flags(spans, starts), levels), offsets


def cuts_of(text: str, offsets: Ints, mode: str, room: int) -> Ints:
    """(windows, 2) where each window of a document starts and ends; `offsets` as of `read_tokens`."""
    if mode == "truncate":
        return cut_windows(np.zeros(min(room, len(offsets)), np.int64), room)
    return cut_windows(boundary_scores(text, offsets[:, 0], offsets[:, 1]), room)


def tokenize_split(
    documents: Any,
    tokenizer: Any,
    settings: TokenizeSettings,
    name: str,
    part: tuple[float, float] = (0, 1),
    fit: Fit | None = None,
) -> tuple[WindowTable, int]:
    """The windows of one split, and how many tokens its documents have before any truncation.

    Args:
        part: what share of all documents comes before this split, and what share is in it.
        fit: is told of every token.
    """
    backend, logged = tokenizer.backend_tokenizer, time.monotonic()
    prefix, suffix = special_frame(tokenizer)
    backend.no_truncation()
    room = settings.max_seq_length - len(prefix) - len(suffix)
    table, total = WindowTable(prefix, suffix), 0
    with special_tokens_as_text(backend):
        for first, batch, encodings in encoded(documents, backend):
            rows, cuts = [], []
            each = zip(batch["text"], batch["code_spans"], encodings, strict=True)
            for index, (text, *of_text) in enumerate(each, start=first):
                row, offsets = read_tokens(index, text, *of_text)
                total += len(row.ids)
                rows.append(row)
                if fit is not None:
                    fit.add(row.ids, row.levels, row.code)
                cuts.append(cuts_of(text, offsets, settings.mode, room))
            table.add(rows, cuts)
            done = first + len(rows)
            tell(f"Tokenized {done:,} {name} documents", part[0] + part[1] * done / len(documents))
            if time.monotonic() - logged > _LOG_SECONDS or done == len(documents):
                logged = time.monotonic()
                stage_logger().info("%s: %d of %d documents tokenized", name, done, len(documents))
    return table, total
