"""What the probes are given: folders of models, files of documents, and how much of these to read."""

from dataclasses import dataclass
from pathlib import Path

from tasks.evaluate_model.settings import EvaluateSettings


class NotMeasured(Exception):
    """A probe cannot be made; its message says why, in a person's words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The models before and after, as folders, and the documents that they are measured on."""

    trained: Path
    """The adapted masked-language model with its tokenizer."""
    base: Path | None
    """What it began from; None for a model from scratch."""
    retrieval: Path | None
    """The retrieval model, where there is one."""
    encoder: Path | None
    """What the retrieval model began from, where that is not this run's model and is at hand."""
    begun: bool
    """Whether the retrieval model began from another model than this run's."""
    corpus: Path
    """The file of `Corpus`."""
    pairs: Path
    """The folder of `Pairs`."""
    documents: dict[str, Path]
    """The files of `DocsSnapshot` by what their documents' paths begin with; none if one is not at hand."""
    languages: list[str]
    """The main languages of the corpus, the most frequent first."""
    max_seq_length: int
    """Tokens of the longest window, special tokens included."""
    settings: EvaluateSettings
