"""What a masked-language model makes of masked windows: its loss and its hits, one masked token at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.evaluate_model.given import Given, NotMeasured
from tasks.evaluate_model.sampling import Document
from tasks.retrieval.figures import Floats
from tasks.stage.progress import tell

Ids = npt.NDArray[np.int64]
RATE = 0.15
"""Share of a window's tokens that are masked at most."""
MASKED, SWAPPED = 0.8, 0.1
"""Shares of the chosen tokens that become [MASK] and that become another token, as BERT has them."""
TOKENS = 2048
"""Most tokens of a batch, padding counted: all logits of a vocabulary of 30,000 take 250 MB."""
TOLERANCE = 1e-3
"""Largest difference of a logit that is put down to rounding, in fp32."""


@dataclass(frozen=True, slots=True)
class Window:
    """Some tokens of a document, special ones included."""

    document: str
    ids: Ids
    """(tokens,)"""
    offsets: Ids
    """(tokens, 2) where each begins and ends in the document's text."""
    ordinary: npt.NDArray[np.bool_]
    """(tokens,) which are not special, so that they can be predicted."""

    def random(self) -> np.random.Generator:
        """Random numbers that follow from the window's tokens alone."""
        return np.random.default_rng(list(blake2b(self.ids.tobytes(), digest_size=16).digest()))


@dataclass(frozen=True, slots=True)
class Masked:
    """A window of which some tokens are to be predicted."""

    window: Window
    seen: Ids
    """(tokens,) what the model is shown."""
    places: Ids
    """(masked,) of the tokens to predict."""


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer of a model's folder."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)


def cut_windows(documents: Sequence[Document], tokenizer: Any, max_seq_length: int) -> list[Window]:
    """The documents' tokens in windows, none of two documents; a written "[MASK]" is text."""
    found = []
    for document in documents:
        made = tokenizer(
            document.text,
            truncation=True,
            max_length=max_seq_length,
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
            split_special_tokens=True,
        )
        for ids, offsets in zip(made["input_ids"], made["offset_mapping"], strict=True):
            tokens = np.array(ids, np.int64)
            ordinary = ~np.isin(tokens, tokenizer.all_special_ids)
            if ordinary.any():
                found.append(Window(document.path, tokens, np.array(offsets, np.int64), ordinary))
    return found


def mask_some(window: Window, tokenizer: Any) -> Masked:
    """Choose tokens of a window to predict, the same ones each time.

    Of n tokens ⌊0.15 n + u⌋ are chosen, u uniform in [0, 1); 80 % of them become [MASK], 10 % another token.
    """
    random = window.random()
    candidates = np.flatnonzero(window.ordinary)
    count = int(len(candidates) * RATE + random.random())
    places = np.sort(random.permutation(candidates)[:count])
    fates, seen = random.random(count), window.ids.copy()
    seen[places[fates < MASKED]] = tokenizer.mask_token_id
    swapped = places[(fates >= MASKED) & (fates < MASKED + SWAPPED)]
    others = np.setdiff1d(np.arange(len(tokenizer)), tokenizer.all_special_ids)
    seen[swapped] = random.choice(others, len(swapped))
    return Masked(window, seen, places)


def predict(
    folder: Path, windows: Sequence[Masked], pad_token_id: int, told: Callable[[int], None] | None = None
) -> tuple[Floats, Floats]:
    """The loss (nats) of each masked token, and 1 where the model's best token is right, else 0.

    Both are (masked,), in the order of the windows and of their places. The arithmetic is fp32.

    Args:
        told: is told now and then how many windows are done.

    Raises:
        UserError: the model's weights do not load.
        NotMeasured: they lack the head that fills masks, as a retrieval model's do.
    """
    import torch
    from torch.nn import functional

    head = _SparseHead(_load(folder))
    ends = np.cumsum([0, *(len(one.places) for one in windows)])
    losses, hits = np.zeros(ends[-1]), np.zeros(ends[-1])
    done = 0
    with torch.inference_mode():
        for numbers in _batches([len(one.seen) for one in windows]):
            some = [windows[number] for number in numbers]
            width = max(len(one.seen) for one in some)
            ids = np.full((len(some), width), pad_token_id, np.int64)
            for row, one in enumerate(some):
                ids[row, : len(one.seen)] = one.seen
            real = np.arange(width) < np.array([len(one.seen) for one in some])[:, None]
            rows = np.repeat(np.arange(len(some)), [len(one.places) for one in some])
            inputs = {
                "input_ids": torch.from_numpy(ids).to(head.device),
                "attention_mask": torch.from_numpy(real.astype(np.int64)).to(head.device),
            }
            logits = head.logits(inputs, rows, np.concatenate([one.places for one in some]))
            answers = np.concatenate([one.window.ids[one.places] for one in some])
            targets = torch.from_numpy(answers).to(head.device)
            into = np.concatenate([np.arange(ends[number], ends[number + 1]) for number in numbers])
            losses[into] = functional.cross_entropy(logits, targets, reduction="none").double().cpu().numpy()
            hits[into] = (logits.argmax(-1) == targets).double().cpu().numpy()
            done += len(some)
            if told:
                told(done)
    return losses, hits


def predict_both(
    given: Given, windows: Sequence[Masked], pad_token_id: int
) -> tuple[dict[str, tuple[Floats, Floats]], dict[str, str]]:
    """What `predict` tells of the model `before`, if it can be compared with, and of that `after`.

    The second is why there is nothing of the model `before`, where it is there and fills no masks.

    Raises:
        UserError: a model's weights do not load.
        NotMeasured: the adapted model lacks the head that fills masks.
    """
    found: dict[str, tuple[Floats, Floats]] = {}
    not_measured: dict[str, str] = {}
    for name, folder in (("before", given.base), ("after", given.trained)):
        if folder is None:
            continue

        def told(done: int, name: str = name) -> None:
            tell(f"Filled the masks of {done:,} of {len(windows):,} windows, {name} the training")

        try:
            found[name] = predict(folder, windows, pad_token_id, told)
        except NotMeasured as error:
            if folder == given.trained:
                raise
            not_measured[name] = str(error)
    return found, not_measured


class _SparseHead:
    """Lets a model's head compute the masked rows alone, which are a seventh, where that gives the same.

    Whether it does is seen on the first batch. A head of 30,000 words is half of a six-layer, 384-wide model.
    """

    def __init__(self, model: Any) -> None:
        self._model, self.device = model, model.device
        self._rows: tuple[Any, Any] | None = None
        self.works: bool | None = None
        """None until it was tried."""
        model.base_model.register_forward_hook(self._gather)

    def logits(self, inputs: dict[str, Any], rows: Ids, places: Ids) -> Any:
        """(masked, vocabulary) the logits in fp32 of some places in some rows of a batch."""
        if self.works:
            return self._sparse(inputs, rows, places)
        dense = _mlm_logits(self._model(**inputs))[rows, places].float()
        if self.works is None:
            try:
                sparse = self._sparse(inputs, rows, places)
                self.works = sparse.shape == dense.shape and bool((sparse - dense).abs().max() < TOLERANCE)
            except (RuntimeError, ValueError, TypeError, LookupError, AttributeError):
                self.works = False
        return dense

    def _sparse(self, inputs: dict[str, Any], rows: Ids, places: Ids) -> Any:
        self._rows = rows, places
        try:
            return _mlm_logits(self._model(**inputs))[0].float()
        finally:
            self._rows = None

    def _gather(self, _module: Any, _inputs: Any, output: Any) -> Any:
        if self._rows is None:
            return output
        hidden = output[0][self._rows][None]
        if isinstance(output, tuple):
            return (hidden, *output[1:])
        output["last_hidden_state"] = hidden
        return output


def _mlm_logits(output: Any) -> Any:
    """The logits of the MLM head, of a model with or without a second one."""
    return output.prediction_logits if hasattr(output, "prediction_logits") else output.logits


def _load(folder: Path) -> Any:
    import torch
    from transformers import AutoModelForMaskedLM

    from tasks.models.weights import load_weights

    model, missing = load_weights(
        AutoModelForMaskedLM, folder, dtype=torch.float32, trust_remote_code=False, local_files_only=True
    )
    if missing:
        raise NotMeasured(f"the model has no weights of a head that fills masks ({missing[0]})")
    return model.eval().to("cuda" if torch.cuda.is_available() else "cpu")


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Numbers of windows of like length, the longest first."""
    batch: list[int] = []
    longest = 0
    for number in sorted(range(len(lengths)), key=lambda number: (-lengths[number], number)):
        longest = max(longest, lengths[number])
        if batch and longest * (len(batch) + 1) > TOKENS:
            yield batch
            batch, longest = [], lengths[number]
        batch.append(number)
    if batch:
        yield batch
