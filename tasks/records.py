"""What travels between stages: where a result lies, its key, and what it counted. Never the data.

Each record is the `record` of a manifest in the store, so it must survive JSON: only strings, numbers,
booleans, None, lists and string-keyed dictionaries of these.
"""

from dataclasses import asdict, dataclass, field, fields
from typing import Any, ClassVar, Self
from urllib.parse import urlsplit

BESIDE = {"beside": True}
"""Marks a figure that tells of what is not in the result: an earlier result lacks it, and is as good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What every stage's result has: its place in the store and its content key."""

    stage: ClassVar[str]
    """The result's name, and its folder in the store."""

    uri: str
    key: str

    def as_json(self) -> dict[str, Any]:
        """The record as JSON-ready values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """The record that `as_json` wrote; unknown members are ignored."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in values.items() if name in known})


@dataclass(frozen=True, slots=True, kw_only=True)
class DocsSnapshot(Record):
    """The raw bytes of every document that matched the path patterns, as Parquet in the store."""

    stage: ClassVar[str] = "documents"
    FILE: ClassVar[str] = "documents.parquet"
    PARTS: ClassVar[str] = "sources.json"

    source: str
    """What a person calls the source: a URL without credentials, a folder's or a file's name."""
    commit_sha: str
    """The Git commit, or `sha256:…` of the contents where there is no Git."""
    found: int
    """Files whose path matches the patterns, whatever becomes of them."""
    read: int
    """Files of which the bytes are in the snapshot; the others have a reason instead."""
    bytes_read: int
    licenses: list[str]
    """SPDX identifiers (or `other`) of the licence files found at the top of the repository."""
    unread: dict[str, int] = field(default_factory=dict, metadata=BESIDE)
    """Files that look like documents and match no pattern, by the end of their names."""
    submodules: int = field(default=0, metadata=BESIDE)
    """Other repositories within this one, of which nothing is read."""
    parts: list[dict[str, Any]] = field(default_factory=list)
    """Of a joint snapshot, those that it is made of: `name`, `source`, `commit_sha`, `licenses`, `key`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus(Record):
    """Documents worth learning from, as Parquet in the store."""

    stage: ClassVar[str] = "corpus"
    FILE: ClassVar[str] = "corpus.parquet"
    DROPPED: ClassVar[str] = "dropped.parquet"
    """Path, blob and reason of every document that was dropped."""
    LOOK: ClassVar[str] = "look.json"
    """Some documents as they were and as they are, and what else a person wants to see of a corpus."""
    UNTOLD: ClassVar[str] = "und"
    """The code (ISO 639-2) of a text whose language is not told: it is too short, or is no prose."""

    found: int
    kept: int
    dropped_by_reason: dict[str, int]
    characters: int
    """Characters of the kept texts, after cleaning."""
    eval_documents: int
    """Kept documents that are held out from training."""
    languages: dict[str, int] = field(default_factory=dict)
    """Kept documents by language: a two-letter code (ISO 639-1), or `und`."""
    near_groups: int = 0
    """Groups of texts that are near copies of one another; of equal ones those that are kept count."""
    near_documents: int = 0
    """Documents in these groups, of those that pass their own checks."""
    largest_group: int = 0
    """Kept documents in the largest group that stays on one side of the split."""
    boilerplate_lines: int = 0
    """Distinct lines that were taken out because they stood in many documents."""
    boilerplate_characters: int = 0

    def main_languages(self, share: float = 0.05) -> list[str]:
        """The codes of the languages of at least `share` of the kept documents, the most frequent first."""
        told = {code: count for code, count in self.languages.items() if code != self.UNTOLD}
        least = share * sum(told.values())
        frequent = [code for code, count in told.items() if count >= least]
        return sorted(frequent, key=lambda code: (-told[code], code))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs(Record):
    """Pairs of a query and the passages that answer it, mined from the documents themselves, as Parquet."""

    stage: ClassVar[str] = "pairs"
    PASSAGES: ClassVar[str] = "passages.parquet"
    """Every section of every document, in passages, with its place and its side of the split."""
    PAIRS: ClassVar[str] = "pairs.parquet"

    passages: int
    mined: int
    """Pairs that the documents offer: titles, descriptions, headings and links."""
    kept: int
    """Different queries that are left of them."""
    dropped_by_reason: dict[str, int]
    by_kind: dict[str, int]
    """Kept queries by kind."""
    by_split: dict[str, int]
    """Kept queries that train, and those that are held out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedDataset(Record):
    """The corpus as a Hugging Face `DatasetDict` (`train`, `eval`), loadable with `load_from_disk`."""

    stage: ClassVar[str] = "dataset"
    FOLDER: ClassVar[str] = "dataset"

    train_documents: int
    eval_documents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenizedDataset(Record):
    """Token windows as a Hugging Face `DatasetDict`, and the tokenizer that made them.

    All token counts leave the special tokens ([CLS], [SEP], [PAD]) out.
    """

    stage: ClassVar[str] = "tokenized"
    WINDOWS: ClassVar[str] = "windows"
    TOKENIZER: ClassVar[str] = "tokenizer"

    vocab_size: int
    max_seq_length: int
    """Tokens in the longest window, special tokens included."""
    train_windows: int
    eval_windows: int
    corpus_tokens: int
    """Tokens of all kept documents, train and eval."""
    train_document_tokens: int
    """Tokens of the kept training documents, before any truncation."""
    train_tokens: int
    """Tokens that one epoch of training sees."""
    eval_tokens: int
    pieces_per_word: float = field(default=0.0, metadata=BESIDE)
    """Mean pieces that the vocabulary makes of a word of prose; 0 where that was not counted."""
    unknown_share: float = field(default=0.0, metadata=BESIDE)
    """Share of them that stand for what the vocabulary lacks, in [0, 1]."""

    @property
    def coverage(self) -> float:
        """Trained tokens of one epoch over the kept training documents' tokens, in [0, 1]."""
        return self.train_tokens / self.train_document_tokens if self.train_document_tokens else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedModel(Record):
    """The adapted model and tokenizer, as `save_pretrained` writes them, and how the training went."""

    stage: ClassVar[str] = "training"
    MODEL: ClassVar[str] = "model"

    global_step: int
    resumed_from_step: int
    tokens_per_second: float
    """Training tokens a second, padding not counted."""
    loss: float
    """Mean training loss (nats a masked token) over the last tenth of the run."""
    eval_before: dict[str, float] | None
    """`loss`, `loss_error`, `accuracy` and so on before training; None without held-out documents."""
    eval_after: dict[str, float] | None
    device: str
    """The device's name, for example `cpu` or `NVIDIA H200`."""
    history: list[dict[str, float]]
    """Points of the loss curve: `step`, and `loss`, `learning_rate` or `eval_loss`."""
    fill_samples: list[dict[str, Any]]
    """Masked held-out sentences: `text`, `answer`, `before` and `after` (the top predictions of each)."""
    precision: str = "fp32"
    """`bf16` or `fp32`: what products were computed in."""
    padding_share: float = 0.0
    """Of the computed tokens, in [0, 1)."""
    peak_memory_bytes: int = 0
    """The GPU's, or the process's where there is none."""
    mfu: float | None = None
    """Share of the GPU's peak arithmetic that went into the model; None on a CPU."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedModel(Record):
    """A retrieval model that was trained on the pairs, as sentence-transformers saves it."""

    stage: ClassVar[str] = "embedding"
    MODEL: ClassVar[str] = "model"

    base: str
    """What a person calls the model that it began from; `adapted` for this run's masked-language model."""
    skipped: str | None = None
    """Why there is no model."""
    pairs: int = 0
    global_step: int = 0
    resumed_from_step: int = 0
    pairs_per_second: float = 0.0
    loss: float = 0.0
    device: str = ""
    precision: str = "fp32"
    peak_memory_bytes: int = 0
    history: list[dict[str, float]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluatedModel(Record):
    """What the models of a run are good for, by probes on held-out documents; None where not measured."""

    stage: ClassVar[str] = "evaluation"
    FILE: ClassVar[str] = "evaluation.json"

    retrieval: dict[str, Any] | None = None
    """By system and kind of query, and `paired`: see `tasks.retrieval.probe`."""
    general: dict[str, Any] | None = None
    """Of the loss on general text (nats a masked token) `before`, `after`, `difference`, `low`, `high`."""
    domain_words: dict[str, Any] | None = None
    """The same of the accuracy at masked words of the domain, and `words`."""
    tags: dict[str, Any] | None = None
    """The same of the accuracy of a linear probe, and `field`, `classes`, `documents`."""
    not_measured: dict[str, str] = field(default_factory=dict)
    """By probe why it was not made, and by what is asked in it, such as `base` or `general_before`."""
    best: str = "bm25"
    """The system that found most, of those that can be searched with."""
    samples: list[dict[str, Any]] = field(default_factory=list)
    """Queries: `query`, `kind`, `path`, and the first hit's `path`, `heading`, `text`, `right` each time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedModel(Record):
    """One version of the adapted model, with its card and `summary.json`."""

    stage: ClassVar[str] = "models"
    CARD: ClassVar[str] = "README.md"
    SUMMARY: ClassVar[str] = "summary.json"
    REPORT: ClassVar[str] = "report.html"
    RETRIEVAL: ClassVar[str] = "retrieval"
    """The retrieval model's folder within, where there is one."""

    version: str
    name: str = ""
    """What its card calls it; earlier versions of docs-mlm wrote it into the summary alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchIndex(Record):
    """What `docs-mlm search` reads: the documents' passages, by their words and by a model's vectors."""

    stage: ClassVar[str] = "index"

    version: str
    """Of the published model that it belongs to."""
    passages: int
    model: str | None
    """Whose vectors it holds: a folder within the published model, `.` for itself; None without any."""
    mode: str
    """What the probe found best: `bm25`, `dense` or `hybrid`."""
    source: str
    commit_sha: str
    sources: list[dict[str, Any]] = field(default_factory=list)


STAGES = tuple(
    kind.stage
    for kind in list(globals().values())
    if isinstance(kind, type) and issubclass(kind, Record) and kind is not Record
)
"""The names of all results, in the order of this page, which is that of the pipeline."""


def short_name(source: str) -> str:
    """The last two parts of a URL's path, or a file's name, without `.git` or `.bundle`."""
    path = urlsplit(source).path if "://" in source else source.rpartition(":")[2]
    parts = [
        part for part in path.rstrip("/").removesuffix(".git").removesuffix(".bundle").split("/") if part
    ]
    is_local = "://" not in source and "@" not in source
    return "/".join(parts[-1:] if is_local else parts[-2:]) or source


def short_commit(commit_sha: str) -> str:
    """The first eight digits, of a Git commit or of a digest."""
    return commit_sha.removeprefix("sha256:")[:8]
