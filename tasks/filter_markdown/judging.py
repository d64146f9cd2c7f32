"""One document at a time: decoded, cleaned, and kept or dropped for a reason. Over all cores when it pays.

One core judges some 1,000 documents a second, and a new process takes five seconds to import what the program
does; so most repositories are judged in this process. Results come in the documents' order either way.
"""

import multiprocessing
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import chain

from tasks.filter_markdown.cleaning import clean_raw, clean_text
from tasks.filter_markdown.decoding import decode
from tasks.filter_markdown.language_codes import UNTOLD
from tasks.filter_markdown.languages import language_of, prose_of
from tasks.filter_markdown.layout import NOTHING, Cleaned
from tasks.filter_markdown.near_duplicates import fingerprints
from tasks.filter_markdown.residue import residue
from tasks.filter_markdown.settings import FilterSettings

DOCUMENTS_FOR_A_POOL = 15_000
"""Fewer are judged in this process."""
_BATCH_DOCUMENTS = 256
_BATCH_BYTES = 8_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RawDocument:
    """A file as it was found: its bytes, or the reason why they were not read."""

    path: str
    blob_sha: str
    content: bytes | None
    reason: str | None = None
    cleaned: bool = False
    """Whether it is a text that was cleaned before, and is not cleaned again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A document's text, or the reason why it is dropped."""

    path: str
    blob_sha: str
    reason: str | None = None
    cleaned: Cleaned = NOTHING
    digest: bytes = b""
    """Equal for texts that are the same but for white space."""
    signature: bytes = b""
    """What similar texts share much of."""
    language: str = UNTOLD
    """Of its prose: a two-letter code, or `und`."""
    residue: dict[str, int] = field(default_factory=dict)
    """Marks that are left in its prose."""


def drop_reason(text: str, settings: FilterSettings) -> str | None:
    """Why `text`, which is cleaned, is not worth training on, or None to keep it."""
    if len(text) <= settings.min_chars:
        return "too_short"
    if len(text) > settings.max_chars:
        return "too_large"
    return None


def judge_batch(batch: Sequence[RawDocument], settings: FilterSettings) -> list[Judged]:
    """Decode, clean and measure some documents; duplicates are found later, among all."""
    return with_fingerprints([_judge(document, settings) for document in batch])


def with_fingerprints(batch: Sequence[Judged]) -> list[Judged]:
    """The same documents, those that stay with what tells copies of them."""
    staying = [one.cleaned.text for one in batch if one.reason is None]
    found = iter(fingerprints(staying) if staying else ())
    signed = []
    for one in batch:
        if one.reason is None:
            digest, signature = next(found)
            one = replace(one, digest=digest, signature=signature)
        signed.append(one)
    return signed


def _judge(document: RawDocument, settings: FilterSettings) -> Judged:

    def dropped(reason: str) -> Judged:
        return Judged(path=document.path, blob_sha=document.blob_sha, reason=reason)

    if document.reason is not None or document.content is None:
        return dropped(document.reason or "not_regular_file")
    source, reason = decode(document.content)
    if reason is not None:
        return dropped(reason)
    if len(source) > settings.max_chars:
        # Before the parser sees it: its time and memory are bounded by this setting.
        return dropped("too_large")
    cleaned = Cleaned(text=source, code_spans=[]) if document.cleaned else _clean(source, settings)
    if cleaned is None:
        return dropped("unparsable")
    return measure(document.path, document.blob_sha, cleaned, settings)


def measure(path: str, blob_sha: str, cleaned: Cleaned, settings: FilterSettings) -> Judged:
    """Judge a cleaned text by its size and its language; its fingerprint is taken with others'."""
    text, spans = cleaned.text, cleaned.code_spans
    reason, language, prose = drop_reason(text, settings), UNTOLD, ""
    if reason is None:
        prose = prose_of(text, spans)
        language = language_of(prose)
        if settings.languages and language not in settings.languages:
            reason = "other_language"
    if reason is not None:
        return Judged(path=path, blob_sha=blob_sha, reason=reason)
    return Judged(
        path=path,
        blob_sha=blob_sha,
        cleaned=cleaned,
        language=language,
        residue=residue(prose),
    )


def judge_all(
    documents: Iterable[RawDocument], settings: FilterSettings, *, workers: int = 1
) -> Iterator[Judged]:
    """Judge `documents` in `workers` processes (1: this one), in order, some batches at a time."""
    batches = _batched(documents)
    if workers <= 1:
        yield from chain.from_iterable(judge_batch(batch, settings) for batch in batches)
        return
    # Spawned, not forked: a fork copies the locks of whatever threads the flow's process has.
    pool = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))
    waiting: deque[Future[list[Judged]]] = deque()
    try:
        for batch in batches:
            waiting.append(pool.submit(judge_batch, batch, settings))
            if len(waiting) > 2 * workers:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _batched(documents: Iterable[RawDocument]) -> Iterator[list[RawDocument]]:
    batch: list[RawDocument] = []
    size = 0
    for document in documents:
        batch.append(document)
        size += len(document.content or b"")
        if len(batch) == _BATCH_DOCUMENTS or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _clean(source: str, settings: FilterSettings) -> Cleaned | None:
    """The cleaned text, or None where the parser gives up."""
    try:
        if settings.cleaning == "raw":
            return clean_raw(source)
        return clean_text(source, keep_code=settings.keep_code, dialects=settings.dialects)
    except BaseException as error:
        # A panic of the parser is no Exception, and its class cannot be imported.
        if type(error).__name__ != "PanicException":
            raise
        return None
