"""The main flow: a documentation repository goes in, an adapted model comes out in the store."""

import sys
from pathlib import Path

from prefect import flow

from tasks.cache_dataset import cache_dataset, export_texts
from tasks.check_secrets import CheckedSource, CheckedStore
from tasks.clone_docs import clone_docs
from tasks.filter_markdown import filter_markdown
from tasks.publish_model import Lineage, Origin, publish_model
from tasks.records import Corpus, DocsSnapshot
from tasks.resolve_plan import Plan, resolve_plan
from tasks.settings import (
    FilterSettings,
    ModelSettings,
    PublishSettings,
    Settings,
    TokenizeSettings,
    TrainSettings,
)
from tasks.summarise_run import RunSummary, summarise_run
from tasks.tokenize_corpus import tokenize_corpus
from tasks.train_model import train_model

DEFAULTS = Settings()


@flow(name="docs-mlm", persist_result=False)
def adapt(
    source: CheckedSource,
    filter: FilterSettings = DEFAULTS.filter,
    tokenize: TokenizeSettings = DEFAULTS.tokenize,
    model: ModelSettings = DEFAULTS.model,
    train: TrainSettings = DEFAULTS.train,
    publish: PublishSettings = DEFAULTS.publish,
    store: CheckedStore = DEFAULTS.store,
    work_dir: Path = DEFAULTS.work_dir,
) -> RunSummary:
    """Adapt a BERT model to the language of a documentation repository.

    Args:
        store: Where every result is kept: a folder, file:///… or s3://bucket/prefix. The keys and the
            endpoint of S3 come from the worker's environment (AWS_*).
        work_dir: Scratch space on the worker's machine; may be deleted between runs.
    """
    settings = Settings(
        source=source, filter=filter, tokenize=tokenize, model=model, train=train, publish=publish,
        store=store, work_dir=work_dir,
    )  # fmt: skip
    plan = resolve_plan(settings)
    snapshot = clone_docs(plan["documents"], plan.source, source)
    corpus = filter_markdown(plan["corpus"], snapshot, filter)
    return learn(plan, snapshot, corpus, settings)


def learn(plan: Plan, snapshot: DocsSnapshot, corpus: Corpus, settings: Settings) -> RunSummary:
    """From the corpus to the published model: the stages that any number of sources have in common."""
    dataset = cache_dataset(plan["dataset"], corpus)
    if settings.publish.export_texts is not None:
        export_texts(plan["dataset"], dataset, settings.publish.export_texts)
    tokenized = tokenize_corpus(plan["tokenized"], dataset, plan.base, settings.tokenize)
    trained = train_model(plan["training"], tokenized, plan.base, settings.train)
    lineage = Lineage(snapshot=snapshot, corpus=corpus, dataset=dataset, tokenized=tokenized, trained=trained)
    published = publish_model(plan["models"], lineage, Origin(base=plan.base, settings=settings))
    return summarise_run(plan, lineage, published)


if __name__ == "__main__":
    from flows.command import main

    main(["run", *sys.argv[1:]])
