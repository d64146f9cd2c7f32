"""All that a published model was made of."""

from dataclasses import dataclass
from typing import Any

from tasks.records import (
    CachedDataset,
    Corpus,
    DocsSnapshot,
    EmbeddedModel,
    EvaluatedModel,
    Pairs,
    Record,
    TokenizedDataset,
    TrainedModel,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """All that the published model was made of."""

    snapshot: DocsSnapshot
    corpus: Corpus
    pairs: Pairs
    dataset: CachedDataset
    tokenized: TokenizedDataset
    trained: TrainedModel
    embedded: EmbeddedModel | None = None
    """The retrieval model, where one was asked for."""
    evaluated: EvaluatedModel | None = None

    def records(self) -> list[Record]:
        """All of them, in the order of the stages."""
        made = [self.snapshot, self.corpus, self.pairs, self.dataset, self.tokenized, self.trained]
        return [*made, *(record for record in (self.embedded, self.evaluated) if record is not None)]

    @property
    def retrieval(self) -> EmbeddedModel | None:
        """The retrieval model, if there is one."""
        return self.embedded if self.embedded is not None and self.embedded.skipped is None else None

    def sources(self) -> list[dict[str, Any]]:
        """Where the documents are from: of each source `source`, `commit_sha` and `licenses`."""
        wanted = ("source", "commit_sha", "licenses")
        parts = self.snapshot.parts or [self.snapshot.as_json()]
        return [{name: part[name] for name in wanted} for part in parts]

    def figures(self) -> dict[str, Any]:
        """The run's figures, as `docs-mlm run --json` and `summary.json` give them."""
        return {
            "commit_sha": self.snapshot.commit_sha,
            "source": self.snapshot.source,
            "sources": self.sources(),
            "documents": {
                "found": self.corpus.found,
                "kept": self.corpus.kept,
                "dropped_by_reason": self.corpus.dropped_by_reason,
            },
            "pairs": {
                "mined": self.pairs.mined,
                "kept": self.pairs.kept,
                "dropped_by_reason": self.pairs.dropped_by_reason,
            },
            "tokens": {
                "corpus": self.tokenized.corpus_tokens,
                "train": self.tokenized.train_tokens,
                "eval": self.tokenized.eval_tokens,
                "coverage": self.tokenized.coverage,
            },
            "training": {
                "global_step": self.trained.global_step,
                "resumed_from_step": self.trained.resumed_from_step,
                "tokens_per_second": self.trained.tokens_per_second,
                "loss": self.trained.loss,
                "device": self.trained.device,
            },
            "eval": {"before": self.trained.eval_before, "after": self.trained.eval_after},
            "probes": self.probes(),
        }

    def probes(self) -> dict[str, Any]:
        """What was measured before and after, by probe; None where it was not."""
        names = ("retrieval", "general", "domain_words", "tags")
        return {name: getattr(self.evaluated, name, None) for name in names}
