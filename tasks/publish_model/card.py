"""The model card: Hugging Face's metadata, then what a reader wants to know; its prose is `card.md`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from string import Template
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from tasks.cards import figures_table
from tasks.models.pinned import PinnedModel
from tasks.publish_model.lineage import Lineage
from tasks.publish_model.settings import PublishSettings
from tasks.records import Corpus, EvaluatedModel, PublishedModel, short_name
from tasks.retrieval.told import advice, probes_table, retrieval_table

HELD_OUT = "nDCG@10 of held-out queries, with 95 % intervals by resampling documents."
RETRIEVAL_METRICS = ("ndcg@10", "mrr@10", "recall@10")
LEAKS = ("held_out_query_in_training", "training_query_of_held_out")
"""Why pairs are left out whose query leads to both sides of the split."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What the model card says besides figures."""

    base: PinnedModel
    publish: PublishSettings = field(default_factory=PublishSettings)
    chosen: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The settings that made the model, by stage."""

    def model_name(self, source: str) -> str:
        """The chosen name, or one made of the base model's and the repository's."""
        base = "bert" if self.base.location is None else self.base.name.rsplit("/", 1)[-1]
        docs = short_name(source).rsplit("/", 1)[-1].replace("+", "-")
        return self.publish.model_name or f"{base}-{docs}".lower()


def model_card(lineage: Lineage, origin: Origin) -> str:
    """The README.md of the published folder."""
    template = files(__package__).joinpath("card.md").read_text(encoding="utf-8")
    return Template(template).substitute(card_fields(lineage, origin))


def card_fields(lineage: Lineage, origin: Origin) -> dict[str, str]:
    """What `card.md` leaves open."""
    corpus, tokens, base = lineage.corpus, lineage.tokenized, origin.base.name
    two = origin.chosen.get("train", {}).get("objective", "mlm") != "mlm"
    return {
        "metadata": metadata(lineage, origin).to_yaml(),
        "name": origin.model_name(lineage.snapshot.source),
        "base": base[0].upper() + base[1:],
        "sources_named": sources_named(lineage),
        "other_heads": ", and `BertForPreTraining` the head for pairs of sentences too" if two else "",
        "figures": figures_table(lineage.trained, plain=True),
        "probes": probes_told(lineage),
        "kept": f"{corpus.kept:,}",
        "found": f"{corpus.found:,}",
        "corpus_tokens": f"{tokens.corpus_tokens:,}",
        "eval_tokens": f"{tokens.eval_tokens:,}",
        "train_tokens": f"{tokens.train_tokens:,}",
        "coverage": f"{tokens.coverage:.3f}",
        "sources_listed": sources_listed(lineage),
        "settings": json.dumps(origin.chosen, indent=1),
    }


def probes_told(lineage: Lineage) -> str:
    """What the model is good for beside filling masks, and where the whole report is."""
    if (evaluated := lineage.evaluated) is None:
        return ""
    found = f"{retrieval_table(evaluated)}\n\n{HELD_OUT}" if evaluated.retrieval else ""
    beside = (
        f"The folder `{PublishedModel.RETRIEVAL}` has a retrieval model of the same documents."
        if lineage.retrieval
        else ""
    )
    page = f"More, with pictures, is in `{PublishedModel.REPORT}`."
    parts = (advice(evaluated), found, probes_table(evaluated), f"{beside} {page}".strip())
    return "\n\n".join(part for part in parts if part) + "\n"


def retrieval_card(lineage: Lineage, origin: Origin) -> str:
    """The README.md of the retrieval model's folder: no figure in it is of training pairs.

    Raises:
        ValueError: there is no retrieval model.
    """
    embedded, evaluated = lineage.retrieval, lineage.evaluated
    if embedded is None:
        raise ValueError("there is no retrieval model to write a card of")
    pairs, name = lineage.pairs, f"{origin.model_name(lineage.snapshot.source)}-retrieval"
    template = files(__package__).joinpath("retrieval_card.md").read_text(encoding="utf-8")
    leaks = sum(pairs.dropped_by_reason.get(reason, 0) for reason in LEAKS)
    fields = {
        "metadata": retrieval_metadata(name, lineage, evaluated).to_yaml(),
        "name": name,
        "origin": f"`{embedded.base}`",
        "sources_named": sources_named(lineage),
        "advice": advice(evaluated) if evaluated else "Not measured: `evaluate.enabled` was off.",
        "figures": retrieval_table(evaluated) if evaluated else "",
        "pairs": f"{embedded.pairs:,}",
        "steps": f"{embedded.global_step:,}",
        "held_out": f"{pairs.by_split.get('eval', 0):,}",
        "leaks": f"{leaks:,}",
        "sources_listed": sources_listed(lineage),
        "settings": json.dumps({name: origin.chosen.get(name) for name in ("pairs", "embed")}, indent=1),
    }
    return Template(template).substitute(fields)


def retrieval_metadata(name: str, lineage: Lineage, evaluated: EvaluatedModel | None) -> ModelCardData:
    """What the Hugging Face hub reads of the retrieval model's card."""
    held_out = ((evaluated.retrieval if evaluated else None) or {}).get("retrieval", {}).get("all")
    return ModelCardData(
        model_name=name,
        language=languages(lineage.corpus),
        library_name="sentence-transformers",
        pipeline_tag="sentence-similarity",
        license=common_license([found["licenses"] for found in lineage.sources()]),
        tags=["docs-mlm", "sentence-transformers", "feature-extraction"],
        eval_results=held_out_results(lineage, "information-retrieval", held_out, RETRIEVAL_METRICS),
    )


def metadata(lineage: Lineage, origin: Origin) -> ModelCardData:
    """What the Hugging Face hub reads of a model card."""
    source, after = lineage.snapshot.source, lineage.trained.eval_after
    return ModelCardData(
        model_name=origin.model_name(source),
        language=languages(lineage.corpus),
        library_name="transformers",
        pipeline_tag="fill-mask",
        license=common_license([found["licenses"] for found in lineage.sources()]),
        base_model=origin.base.name if origin.base.revision is not None else None,
        tags=["docs-mlm", "bert", "domain-adaptation"],
        eval_results=held_out_results(lineage, "fill-mask", after, ("loss", "perplexity", "accuracy")),
    )


def held_out_results(
    lineage: Lineage, task: str, figures: Mapping[str, float] | None, metrics: Sequence[str]
) -> list[EvalResult] | None:
    """Some figures of held-out documents, as the hub reads them; None where there are none."""
    if not figures:
        return None
    return [
        EvalResult(
            task_type=task,
            dataset_type="documentation",
            dataset_name=f"held-out documents of {lineage.snapshot.source}",
            metric_type=metric,
            metric_value=round(figures[metric], 4),
        )
        for metric in metrics
    ]


def languages(corpus: Corpus) -> str | list[str] | None:
    """The code of the one language of the documents, or those of several; None where it is not known."""
    main = corpus.main_languages()
    return main[0] if len(main) == 1 else main or None


def sources_named(lineage: Lineage) -> str:
    """The one source and its commit, or how many there are."""
    if lineage.snapshot.parts:
        return f"{len(lineage.sources())} sources (listed below)"
    return f"`{lineage.snapshot.source}` at commit `{lineage.snapshot.commit_sha}`"


def sources_listed(lineage: Lineage) -> str:
    """Each source, its commit, and the licences found in it, a line each."""
    return "\n".join(
        f"- `{found['source']}` at commit `{found['commit_sha']}`; "
        f"licences found in it: {', '.join(found['licenses']) or 'none'}"
        for found in lineage.sources()
    )


def common_license(found: list[list[str]]) -> str | None:
    """The licence of all sources, by those found in each: `other` where it is not one and the same."""
    if not any(found):
        return None
    first = {next((name.lower() for name in one if name != "other"), "other") for one in found}
    return first.pop() if len(first) == 1 else "other"
