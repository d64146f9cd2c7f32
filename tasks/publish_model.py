"""The adapted model becomes a version that anyone can load: weights, tokenizer, model card, `summary.json`.

The folder is a plain Hugging Face checkpoint, so a copy of it loads with `from_pretrained`.
"""

import json
import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from tasks.base_models import BaseModel
from tasks.records import (
    CachedDataset,
    Corpus,
    DocsSnapshot,
    PublishedModel,
    TokenizedDataset,
    TrainedModel,
    short_name,
)
from tasks.settings import Settings
from tasks.stage import Step, ancestors_of, stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """All that the published model was made of."""

    snapshot: DocsSnapshot
    corpus: Corpus
    dataset: CachedDataset
    tokenized: TokenizedDataset
    trained: TrainedModel

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What the model card says besides figures."""

    base: BaseModel
    settings: Settings = field(default_factory=Settings)

    def model_name(self, source: str) -> str:
        """The chosen name, or one made of the base model's and the repository's."""
        base = "bert" if self.base.location is None else self.base.name.rsplit("/", 1)[-1]
        docs = short_name(source).rsplit("/", 1)[-1].replace("+", "-")
        return self.settings.publish.model_name or f"{base}-{docs}".lower()


def model_card(lineage: Lineage, origin: Origin) -> str:
    """The README.md of the published folder: Hugging Face metadata, then what a reader wants to know."""
    source, sources = lineage.snapshot.source, lineage.sources()
    name = origin.model_name(source)
    after = lineage.trained.eval_after
    on_hub = origin.base.revision is not None
    data = ModelCardData(
        model_name=name,
        language="en",
        library_name="transformers",
        pipeline_tag="fill-mask",
        license=_license([found["licenses"] for found in sources]),
        base_model=origin.base.name if on_hub else None,
        tags=["docs-mlm", "bert", "domain-adaptation"],
        eval_results=[
            EvalResult(
                task_type="fill-mask",
                dataset_type="documentation",
                dataset_name=f"held-out documents of {source}",
                metric_type=metric,
                metric_value=round(after[metric], 4),
            )
            for metric in ("loss", "perplexity", "accuracy")
        ]
        if after
        else None,
    )
    corpus, tokens, trained = lineage.corpus, lineage.tokenized, lineage.trained
    two = origin.settings.train.objective != "mlm"
    heads = ", and `BertForPreTraining` the head for pairs of sentences too" if two else ""
    where = "\n".join(
        f"- `{found['source']}` at commit `{found['commit_sha']}`; "
        f"licences found in it: {', '.join(found['licenses']) or 'none'}"
        for found in sources
    )
    named = f"`{source}` at commit `{lineage.snapshot.commit_sha}`"
    if lineage.snapshot.parts:
        named = f"{len(sources)} sources (listed below)"
    stages = ("filter", "tokenize", "train")
    chosen = {name: getattr(origin.settings, name).keyed() for name in stages}
    return f"""---
{data.to_yaml()}
---

# {name}

{origin.base.name[0].upper() + origin.base.name[1:]}, adapted to the language of
{named} by continued masked-language-model pretraining with docs-mlm.

## How to load

```python
from transformers import AutoModelForMaskedLM, AutoTokenizer

model = AutoModelForMaskedLM.from_pretrained("path/to/this/folder")
tokenizer = AutoTokenizer.from_pretrained("path/to/this/folder")
```

For further fine-tuning, `AutoModel.from_pretrained` gives the encoder alone{heads}.

## Figures

{figures_table(trained)}

## Training data

{corpus.kept:,} of {corpus.found:,} documents, {tokens.corpus_tokens:,} tokens, of which
{tokens.eval_tokens:,} were held out. One epoch trains on {tokens.train_tokens:,} tokens
(coverage {tokens.coverage:.3f}). They are from:

{where}

## Settings

```json
{json.dumps(chosen, indent=1)}
```
"""


def figures_table(trained: TrainedModel) -> str:
    """Held-out loss, perplexity and accuracy before and after, as a Markdown table."""
    before, after = trained.eval_before, trained.eval_after
    if before is None or after is None:
        return f"No documents were held out. Training loss at the end: {trained.loss:.4f}."
    rows = [
        f"| {metric} | {before[metric]:.4g} | {after[metric]:.4g} |"
        for metric in ("loss", "perplexity", "accuracy", "nsp_accuracy", "sop_accuracy")
        if metric in before and metric in after
    ]
    masked = f"{after['masked_tokens']:,.0f}"
    return "\n".join([f"| held out ({masked} masked tokens) | before | after |", "|---|---|---|", *rows])


@stage(PublishedModel, bar="upload")
def publish_model(step: Step, lineage: Lineage, origin: Origin) -> PublishedModel:
    """Publish model, tokenizer, card and figures as a new version in the store."""
    trained = step.fetch(lineage.trained)
    now = datetime.now(UTC)
    model = PublishedModel(uri=step.uri, key=step.key, version=f"{now:%Y%m%d-%H%M%S}-{step.key[:8]}")
    with step.building() as folder:
        shutil.copytree(trained / "model", folder, dirs_exist_ok=True)
        (folder / "README.md").write_text(model_card(lineage, origin), encoding="utf-8")
        summary = lineage.figures() | {
            "run_key": step.key,
            "model": {"uri": model.uri, "version": model.version},
            "name": origin.model_name(lineage.snapshot.source),
            "base_model": origin.base.name,
            "fill_samples": lineage.trained.fill_samples,
            "history": lineage.trained.history,
        }
        (folder / "summary.json").write_text(json.dumps(summary, indent=1), encoding="utf-8")
        records = (lineage.snapshot, lineage.corpus, lineage.dataset, lineage.tokenized, lineage.trained)
        return step.commit(folder, model, ancestors=ancestors_of(*records))


def _license(found: list[list[str]]) -> str | None:
    """The licence of all sources, by those found in each: `other` where it is not one and the same."""
    if not any(found):
        return None
    first = {next((name.lower() for name in one if name != "other"), "other") for one in found}
    return first.pop() if len(first) == 1 else "other"
