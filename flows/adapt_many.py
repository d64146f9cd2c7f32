"""Several documentation repositories: a model of each, or one of all; one's failure sinks no other."""

from pathlib import Path

from prefect import flow

from flows.adapt import adapt, learn
from flows.expert import Expert, beneath, settings_of
from flows.parameters import DEFAULTS, CheckedStore
from flows.several import AtOnce, Corpora, Sources
from tasks.clone_docs.joining import join_snapshots
from tasks.clone_docs.settings import SourceSettings
from tasks.clone_docs.stage import clone_docs
from tasks.embed_model.settings import EmbedSettings
from tasks.evaluate_model.settings import EvaluateSettings
from tasks.filter_markdown.joining import join_corpora
from tasks.filter_markdown.settings import FilterSettings
from tasks.filter_markdown.stage import filter_markdown
from tasks.models.settings import ModelSettings
from tasks.pair_documents.settings import PairSettings
from tasks.publish_model.settings import PublishSettings
from tasks.records import Corpus, DocsSnapshot
from tasks.run.each import (
    Outcome,
    all_outcomes,
    check_outcomes,
    run_each,
    show_outcomes,
    source_label,
    without_failed,
)
from tasks.run.joint import JointPlan, Part, pin_sources, resolve_joint_plan
from tasks.settings import Settings
from tasks.tokenize_corpus.settings import TokenizeSettings
from tasks.train_model.settings import TrainSettings


@flow(name="docs-mlm-several", persist_result=False)
def adapt_many(
    *,  # the form asks in this order
    corpus: Corpora = "each",
    at_once: AtOnce = 1,
    sources: Sources,
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
) -> list[Outcome]:
    """Adapt a model to each of several documentation repositories, or one model to all of them.

    Args:
        corpus: each: a model of every source; joint: one model of all sources' documents together.
        at_once: Sources that are worked on at the same time, each in a process of its own on the worker's
            machine. A joint corpus is then trained on in one.
        sources: One or more sources, each as a single run takes it.
        store: Where every result is kept: a folder, file:///… or s3://bucket/prefix, with the worker's AWS_*.
        work_dir: Scratch space on the worker's machine; may be deleted between runs.
        expert: Every other setting; those of the source go for all sources that do not say otherwise.
    """
    settings = settings_of(
        expert, filter=filter, pairs=pairs, tokenize=tokenize, model=model, train=train, embed=embed,
        evaluate=evaluate, publish=publish, store=store, work_dir=work_dir,
    )  # fmt: skip
    labelled = {
        f"{number}. {source_label(source)}": beneath(source, expert, of=f"source {number}")
        for number, source in enumerate(sources, 1)
    }
    return (adapt_jointly if corpus == "joint" else adapt_each)(labelled, settings, at_once)


def adapt_each(sources: dict[str, SourceSettings], settings: Settings, at_once: int) -> list[Outcome]:
    """A model of each source."""
    runs = {name: settings.as_parameters() | {"source": source} for name, source in sources.items()}
    outcomes = run_each(adapt, runs, at_once=at_once)
    show_outcomes(outcomes)
    check_outcomes(outcomes)
    return outcomes


def adapt_jointly(sources: dict[str, SourceSettings], settings: Settings, at_once: int) -> list[Outcome]:
    """One model of all sources, or of those that can be had."""
    plan, ended = prepare_each(sources, settings, at_once)
    outcomes = all_outcomes(sources, ended)
    show_outcomes(outcomes)
    snapshot, corpus = join(plan, settings.filter)
    summary = learn(plan, snapshot, corpus, settings)
    check_outcomes(outcomes, made=f", and {summary.model['uri']} is made of the others")
    return outcomes


def prepare_each(
    sources: dict[str, SourceSettings], settings: Settings, at_once: int
) -> tuple[JointPlan, list[Outcome]]:
    """Clone and filter each source, where need be: the plan of those that came through, and how each ended.

    Raises:
        SourcesFailed: none came through.
    """
    pinned, ended = pin_sources(sources)
    plan = resolve_joint_plan(settings, without_failed(pinned, ended))
    runs = {label: {"part": part, "filter": settings.filter} for label, part in plan.missing().items()}
    ended += run_each(prepare, runs, at_once=at_once)
    left = without_failed(pinned, ended)
    return plan if len(left) == len(pinned) else resolve_joint_plan(settings, left), ended


def join(plan: JointPlan, filter: FilterSettings) -> tuple[DocsSnapshot, Corpus]:
    """Put the sources' documents and corpora together."""
    documents = {name: part.documents for name, part in plan.parts.items()}
    corpora = {name: part.corpus for name, part in plan.parts.items()}
    snapshot = join_snapshots(plan[join_snapshots], documents)
    return snapshot, join_corpora(plan[join_corpora], snapshot, corpora, filter)


@flow(name="docs-mlm-source", flow_run_name="{part.run_name}", persist_result=False)
def prepare(part: Part, filter: FilterSettings) -> None:
    """Clone and filter one source of a joint corpus."""
    snapshot = clone_docs(part.documents, part.pinned.source, part.pinned.settings)
    filter_markdown(part.corpus, snapshot, filter)


if __name__ == "__main__":
    raise SystemExit(
        "flows.adapt_many is a flow: to run it, type `python -m flows.command several` or `docs-mlm several`"
    )
