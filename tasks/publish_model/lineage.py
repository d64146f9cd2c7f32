"""All that a published model was made of."""

from dataclasses import dataclass
from typing import Any

from tasks.records import CachedDataset, Corpus, DocsSnapshot, Record, TokenizedDataset, TrainedModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """All that the published model was made of."""

    snapshot: DocsSnapshot
    corpus: Corpus
    dataset: CachedDataset
    tokenized: TokenizedDataset
    trained: TrainedModel

    def records(self) -> list[Record]:
        """All of them, in the order of the stages."""
        return [self.snapshot, self.corpus, self.dataset, self.tokenized, self.trained]

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
        }
