"""Texts become windows of tokens.

`chunk` cuts every document into windows at the best nearby boundary and drops nothing; `truncate` keeps each
document's first window, as the notebook did, which at 128 tokens trains on 7 % of a documentation corpus.
A window never spans two documents.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tasks import boundaries
from tasks.base_models import BaseModel, local_files
from tasks.boundaries import Levels, boundary_levels, sentence_starts
from tasks.errors import UserError
from tasks.records import CachedDataset, TokenizedDataset
from tasks.run_progress import tell
from tasks.settings import ScratchSettings, TokenizeSettings
from tasks.stage import Step, ancestors_of, stage, stage_logger

BATCH = 512
"""Documents tokenized at once; the tokenizer spreads them over all cores."""
FILL = 0.9
"""Mean share of a window's room that chunking aims to fill, so that a cut can wait for a good boundary."""

PARAGRAPH, LINE, SENTENCE, WORD, INSIDE = 4, 3, 2, 1, 0
"""How good a place is for a cut: before a paragraph, a line, a sentence, a word, or inside a word."""

Ints = npt.NDArray[np.int64]


def boundary_scores(text: str, starts: Ints, ends: Ints) -> Ints:
    """How good a cut before each token is, from what stands between it and the token before.

    Args:
        text: the document.
        starts: (tokens,) the first character of each token.
        ends: (tokens,) one past the last character of each token.
    """
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    newlines = np.concatenate(([0], np.cumsum(points == ord("\n"))))
    before = np.concatenate((starts[:1], ends[:-1]))
    crossed = newlines[starts] - newlines[np.minimum(before, starts)]
    stops = np.isin(points[np.maximum(before - 1, 0)], [ord(mark) for mark in ".!?:;"])
    scores = np.where(starts > before, np.where(stops, SENTENCE, WORD), INSIDE)
    scores = np.where(crossed == 1, LINE, scores)
    return np.where(crossed > 1, PARAGRAPH, scores).astype(np.int64)


def cut_windows(scores: Ints, room: int) -> Ints:
    """Cut a document's tokens into windows of at most `room`, nothing dropped, at the best boundaries.

    Each cut is the best-scored place between three quarters of an even share and a full window; of
    equally good places, the one nearest to an even share.

    Args:
        scores: (tokens,) `boundary_scores` of the document.
        room: most tokens in a window, special tokens not counted.

    Returns:
        (windows, 2) where each starts and ends.
    """
    windows: list[tuple[int, int]] = []
    start, total = 0, len(scores)
    while total - start > room:
        left = total - start
        pieces = max(2, -int(-left // (room * FILL)))
        share = min(room, -(-left // pieces))
        low = start + max(1, share * 3 // 4, left - (pieces - 1) * room)
        places = np.arange(low, start + room + 1)
        # Score first, then nearness to the even share.
        rank = scores[places] * (total + 1) - np.abs(places - (start + share))
        cut = int(places[np.argmax(rank)])
        windows.append((start, cut))
        start = cut
    if total > start:
        windows.append((start, total))
    return np.array(windows, np.int64).reshape(-1, 2)


def alphabet_of(texts: Iterable[str], normalizer: Any, limit: int = 1000) -> list[str]:
    """The `limit` most frequent characters of the normalised texts, most frequent first."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(normalizer.normalize_str(text))
    known = sorted((-count, mark) for mark, count in counts.items() if not mark.isspace())
    return [mark for _, mark in known[:limit]]


def train_tokenizer(texts: Callable[[], Iterable[str]], settings: ScratchSettings) -> Any:
    """A WordPiece tokenizer of the texts, as BERT's: lowercased if asked, split at spaces and punctuation."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
    from transformers import BertTokenizer

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    learner = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    learner.normalizer = normalizers.BertNormalizer(lowercase=settings.lowercase)
    learner.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    # Left to itself the trainer numbers the alphabet in the order of a hash map, anew in each run,
    # and equal counts are then merged in another order. Given as known tokens, the numbers are fixed.
    alphabet = alphabet_of(texts(), learner.normalizer)
    known = [*special, *alphabet, *(f"##{mark}" for mark in alphabet)]
    trainer = trainers.WordPieceTrainer(
        vocab_size=max(settings.vocab_size, len(known)),
        special_tokens=known,
        limit_alphabet=len(alphabet),
        show_progress=False,
    )
    learner.train_from_iterator(texts(), trainer)
    return BertTokenizer(
        vocab=learner.get_vocab(),
        do_lower_case=settings.lowercase,
        model_max_length=settings.max_position_embeddings,
    )


def special_frame(tokenizer: Any) -> tuple[list[int], list[int]]:
    """The special tokens that the tokenizer puts before and after a text: for BERT ([CLS], [SEP])."""
    ids = tokenizer("a")["input_ids"]
    special = tokenizer.get_special_tokens_mask(ids, already_has_special_tokens=True)
    first, last = special.index(0), len(special) - special[::-1].index(0)
    return ids[:first], ids[last:]


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


def tokenize_split(
    documents: Any, tokenizer: Any, settings: TokenizeSettings, name: str, part: tuple[float, float] = (0, 1)
) -> tuple[WindowTable, int]:
    """The windows of one split, and how many tokens its documents have before any truncation.

    `part` is what share of all documents comes before this split, and what share is in it.
    """
    backend = tokenizer.backend_tokenizer
    prefix, suffix = special_frame(tokenizer)
    # "[MASK]" written in a document is text like any other.
    backend.encode_special_tokens = True
    backend.no_truncation()
    room = settings.max_seq_length - len(prefix) - len(suffix)
    table, total, log = WindowTable(prefix, suffix), 0, stage_logger()
    for first in range(0, len(documents), BATCH):
        batch = documents[first : first + BATCH]
        encodings = backend.encode_batch(batch["text"], add_special_tokens=False)
        rows, cuts = [], []
        for index, (text, spans, encoding) in enumerate(
            zip(batch["text"], batch["code_spans"], encodings, strict=True), start=first
        ):
            ids = np.array(encoding.ids, np.int32)
            offsets = np.array(encoding.offsets, np.int64).reshape(-1, 2)
            flags = code_flags(spans, offsets[:, 0])
            levels = boundary_levels(encoding.word_ids, offsets[:, 0], sentence_starts(text, spans))
            total += len(ids)
            rows.append(Tokenized(index, ids, flags, levels))
            if settings.mode == "truncate":
                cuts.append(cut_windows(np.zeros(min(room, len(ids)), np.int64), room))
            else:
                cuts.append(cut_windows(boundary_scores(text, offsets[:, 0], offsets[:, 1]), room))
        table.add(rows, cuts)
        done = min(first + BATCH, len(documents))
        tell(f"Tokenized {done:,} {name} documents", part[0] + part[1] * done / len(documents))
        log.info("Tokenized %d of %d %s documents into %d windows", done, len(documents), name, table.windows)
    backend.encode_special_tokens = False
    return table, total


def load_tokenizer(base: BaseModel, texts: Callable[[], Iterable[str]], work_dir: Path) -> Any:
    """The base model's tokenizer, or one trained on `texts` for a model from scratch."""
    if base.scratch is not None:
        stage_logger().info("Training a WordPiece tokenizer of at most %d tokens", base.scratch.vocab_size)
        return train_tokenizer(texts, base.scratch)
    from transformers import AutoTokenizer

    folder = local_files(base, work_dir, weights=False)
    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, use_fast=True)
    if not tokenizer.is_fast:
        raise UserError(f"{base.name} has no fast tokenizer: choose a checkpoint that carries tokenizer.json")
    return tokenizer


@stage(TokenizedDataset, bar="tokenize")
def tokenize_corpus(
    step: Step, dataset: CachedDataset, base: BaseModel, settings: TokenizeSettings
) -> TokenizedDataset:
    """Cut every document into windows of tokens, with the model's tokenizer or one made from the corpus."""
    from datasets import DatasetDict, load_from_disk

    splits = load_from_disk(str(step.fetch(dataset) / "dataset"))
    train = splits["train"]

    def texts() -> Iterator[str]:
        for first in range(0, len(train), BATCH):
            yield from train[first : first + BATCH]["text"]

    tokenizer = load_tokenizer(base, texts, step.scratch())
    total, before, windows = sum(splits.num_rows.values()), 0, {}
    for name, documents in splits.items():
        part = (before / total, len(documents) / total)
        windows[name] = tokenize_split(documents, tokenizer, settings, name, part)
        before += len(documents)
    train_table, train_total = windows["train"]
    eval_table, eval_total = windows.get("eval", (None, 0))
    with step.building() as folder:
        tables = {name: table.dataset(f"{step.key}-{name}") for name, (table, _) in windows.items()}
        DatasetDict(tables).save_to_disk(str(folder / "windows"))
        tokenizer.save_pretrained(folder / "tokenizer")
        record = TokenizedDataset(
            uri=step.uri,
            key=step.key,
            vocab_size=len(tokenizer),
            max_seq_length=settings.max_seq_length,
            train_windows=train_table.windows,
            eval_windows=eval_table.windows if eval_table else 0,
            corpus_tokens=train_total + eval_total,
            train_document_tokens=train_total,
            train_tokens=train_table.tokens,
            eval_tokens=eval_table.tokens if eval_table else 0,
        )
        return step.commit(folder, record, ancestors=ancestors_of(dataset))
