"""The main flow: a documentation repository goes in, an adapted model comes out in the store."""

from dataclasses import replace
from pathlib import Path

from prefect import flow

from flows.expert import Expert, settings_of
from flows.parameters import DEFAULTS, CheckedSource, CheckedStore
from tasks.cache_dataset.export import export_texts
from tasks.cache_dataset.stage import cache_dataset
from tasks.clone_docs.stage import clone_docs
from tasks.embed_model.settings import EmbedSettings
from tasks.embed_model.stage import check_pairs
from tasks.evaluate_model.settings import EvaluateSettings
from tasks.evaluate_model.stage import Measured, evaluate_model
from tasks.filter_markdown.settings import FilterSettings
from tasks.filter_markdown.stage import filter_markdown
from tasks.models.settings import ModelSettings
from tasks.pair_documents.settings import PairSettings
from tasks.pair_documents.stage import pair_documents
from tasks.publish_model.card import Origin
from tasks.publish_model.lineage import Lineage
from tasks.publish_model.settings import PublishSettings
from tasks.publish_model.stage import publish_model
from tasks.records import Corpus, DocsSnapshot
from tasks.run.plan import Plan, embedding_stage
from tasks.run.resolve import resolve_plan
from tasks.run.summary import RunSummary, summarise_run
from tasks.settings import Settings
from tasks.tokenize_corpus.settings import TokenizeSettings
from tasks.tokenize_corpus.stage import tokenize_corpus
from tasks.train_model.settings import TrainSettings
from tasks.train_model.stage import train_model


@flow(name="docs-mlm", persist_result=False)
def adapt(
    source: CheckedSource,
    filter: FilterSettings = DEFAULTS.filter,
    pairs: PairSettings = DEFAULTS.pairs,
    tokenize: TokenizeSettings = DEFAULTS.tokenize,
    model: ModelSettings = DEFAULTS.model,
    train: TrainSettings = DEFAULTS.train,
    embed: EmbedSettings = DEFAULTS.embed,
    evaluate: EvaluateSettings = DEFAULTS.evaluate,
    publish: PublishSettings = DEFAULTS.publish,
    store: CheckedStore = DEFAULTS.store,
    work_dir: Path = DEFAULTS.work_dir,
    expert: Expert = None,
) -> RunSummary:
    """Adapt a BERT model to the language of a documentation repository.

    Args:
        store: Where every result is kept: a folder, file:///… or s3://bucket/prefix, with the worker's AWS_*.
        work_dir: Scratch space on the worker's machine; may be deleted between runs.
        expert: Every other setting.
    """
    settings = settings_of(
        expert, source=source, filter=filter, pairs=pairs, tokenize=tokenize, model=model, train=train,
        embed=embed, evaluate=evaluate, publish=publish, store=store, work_dir=work_dir,
    )  # fmt: skip
    plan = resolve_plan(settings)
    snapshot = clone_docs(plan[clone_docs], plan.source, settings.source)
    corpus = filter_markdown(plan[filter_markdown], snapshot, settings.filter)
    return learn(plan, snapshot, corpus, settings)


def learn(plan: Plan, snapshot: DocsSnapshot, corpus: Corpus, settings: Settings) -> RunSummary:
    """From the corpus to the published model: the stages that any number of sources have in common."""
    pairs = pair_documents(plan[pair_documents], corpus, settings.pairs)
    check_pairs(pairs, settings.embed)
    dataset = cache_dataset(plan[cache_dataset], corpus)
    if settings.publish.export_texts is not None:
        export_texts(
            plan[cache_dataset], dataset, settings.publish.export_texts, form=settings.filter.cleaning
        )
    tokenized = tokenize_corpus(plan[tokenize_corpus], dataset, plan.base, settings.tokenize)
    trained = train_model(plan[train_model], tokenized, plan.base, settings.train, settings.evaluate.bound)
    lineage = Lineage(
        snapshot=snapshot, corpus=corpus, pairs=pairs, dataset=dataset, tokenized=tokenized, trained=trained
    )
    lineage = find_and_measure(plan, lineage, settings)
    origin = Origin(base=plan.base, publish=settings.publish, chosen=settings.chosen())
    published = publish_model(plan[publish_model], lineage, origin)
    return summarise_run(plan, lineage, published)


def find_and_measure(plan: Plan, lineage: Lineage, settings: Settings) -> Lineage:
    """Train a retrieval model and measure what the models are good for, where that was asked for."""
    if (embed := embedding_stage(settings)) is not None:
        embedded = embed(plan[embed], lineage.pairs, lineage.trained, plan.encoder, settings.embed)
        lineage = replace(lineage, embedded=embedded)
    if settings.evaluate.enabled:
        measured = Measured(
            corpus=lineage.corpus,
            pairs=lineage.pairs,
            tokenized=lineage.tokenized,
            trained=lineage.trained,
            base=plan.base,
            embedded=lineage.embedded,
            encoder=plan.encoder,
            documents=lineage.snapshot,
        )
        evaluated = evaluate_model(plan[evaluate_model], measured, settings.evaluate)
        lineage = replace(lineage, evaluated=evaluated)
    return lineage


if __name__ == "__main__":
    raise SystemExit("flows.adapt is a flow: to run it, type `python -m flows.command run` or `docs-mlm run`")
