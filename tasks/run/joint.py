"""The plan of one model of several sources: each source's own snapshot and corpus, then the joint chain.

A source's documents and corpus have the keys that a run on this source alone would give them, so they are
shared with such runs. The joint snapshot's and corpus' keys are made of theirs by name, in the order of the
names: the same sources are the same model however they are listed, and fewer of them are another.
"""

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass

from prefect.runtime import flow_run

from tasks.clone_docs.joining import join_snapshots, joint_commit, joint_name
from tasks.clone_docs.kinds import resolve_source
from tasks.clone_docs.pinned import PinnedSource
from tasks.clone_docs.settings import SourceSettings
from tasks.errors import DocsMlmError, NetworkError, UnknownHostError, UserError
from tasks.filter_markdown.joining import join_corpora
from tasks.models.checks import check_window
from tasks.models.lines import Line
from tasks.models.pinned import resolve_model
from tasks.records import Corpus, DocsSnapshot, short_commit, short_name
from tasks.run.each import Outcome
from tasks.run.plan import (
    Plan,
    Recipes,
    corpus_recipes,
    model_name,
    model_recipes,
    pinned_encoder,
    plan_targets,
)
from tasks.run.resolve import check_ready, check_starts, show_plan
from tasks.settings import Settings
from tasks.stage.log import stage_logger
from tasks.stage.retrying import retried
from tasks.stage.server import check_server_of_run
from tasks.stage.target import Target
from tasks.store.folders import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinned:
    """A source as the user chose it, and what it is at this moment."""

    settings: SourceSettings
    source: PinnedSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One source of a joint corpus: what to fetch, and its own two targets."""

    label: str
    """As the run's report calls it."""
    pinned: Pinned
    documents: Target
    corpus: Target

    @property
    def run_name(self) -> str:
        """What the run that makes it is called."""
        return f"{short_name(self.pinned.source.name)}@{short_commit(self.pinned.source.commit_sha)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class JointPlan(Plan):
    """What a run on several sources at once will do."""

    parts: dict[str, Part]
    """By the name that the source's documents begin with."""

    def rows(self) -> list[tuple[str, Target]]:
        """The sources' own targets first, where they are needed."""
        own = [
            (f"{target.stage} of {name}", target)
            for name, part in self.parts.items()
            for target in (part.documents, part.corpus)
            if self[join_corpora].action == "run"
        ]
        return [*own, *self.targets.items()]

    def missing(self) -> dict[str, Part]:
        """The parts that must be made first, by label: none where the joint corpus is not needed any more."""
        wanted = self[join_corpora].action == "run"
        return {p.label: p for p in self.parts.values() if wanted and p.corpus.action == "run"}


def make_joint_plan(settings: Settings, pinned: dict[str, Pinned]) -> JointPlan:
    """Compute every key of a model of the sources in `pinned`, by label, and see what the store has.

    Raises:
        UserError: the model or the store is not there, or windows do not fit the model.
        NetworkError: a host does not answer.
    """
    store = Store(settings.store)
    store.check(write=False)
    base = resolve_model(settings.model)
    check_window(settings.tokenize.max_seq_length, base)
    parts = named_parts([make_part(store, settings, label, one) for label, one in pinned.items()])
    seconds: dict[str, float] = {}
    commits = {name: part.pinned.source.commit_sha for name, part in parts.items()}
    sources = [part.pinned.source.name for part in parts.values()]
    together = joint_name(sources)
    line = Line.of(sources, model_name(settings, base, together))
    encoder = pinned_encoder(settings)
    recipes = joint_recipes(settings, parts) | model_recipes(settings, base, encoder)
    return JointPlan(
        name=f"{together}@{short_commit(joint_commit(commits))}",
        line=line,
        parts=parts,
        base=base,
        encoder=encoder,
        store_url=store.url,
        targets=plan_targets(store, settings, recipes, seconds, line),
        seconds=seconds,
    )


def make_part(store: Store, settings: Settings, label: str, pinned: Pinned) -> Part:
    """One source's own targets, with the keys that a run on it alone gives them."""
    alone = settings.model_copy(update={"source": pinned.settings})
    targets = plan_targets(store, alone, corpus_recipes(alone, pinned.source), {})
    return Part(
        label=label, pinned=pinned, documents=targets[DocsSnapshot.stage], corpus=targets[Corpus.stage]
    )


def named_parts(parts: list[Part]) -> dict[str, Part]:
    """The parts by name, sorted: the source's short name, with a piece of its key where two share it.

    A source that is listed twice counts once.
    """
    distinct = {part.corpus.key: part for part in parts}
    times = Counter(short_name(part.pinned.source.name) for part in distinct.values())
    named: dict[str, Part] = {}
    for part in distinct.values():
        name = short_name(part.pinned.source.name)
        named[name if times[name] == 1 else f"{name}@{part.documents.key[:8]}"] = part
    return dict(sorted(named.items()))


def joint_recipes(settings: Settings, parts: dict[str, Part]) -> Recipes:
    """The stages that make one corpus of all parts."""
    commits = {name: part.pinned.source.commit_sha for name, part in parts.items()}
    snapshots = {name: part.documents.key for name, part in parts.items()}
    corpora = {name: part.corpus.key for name, part in parts.items()}
    return {
        join_snapshots: join_snapshots.recipe(commits, snapshots),
        join_corpora: join_corpora.recipe(settings.filter, corpora),
    }


def pin_sources(sources: dict[str, SourceSettings]) -> tuple[dict[str, Pinned], list[Outcome]]:
    """Each source's commit by label, and how it ended for those that cannot be had.

    They are waited for together: where the network is down, ten sources take no longer than one.
    """
    pinned: dict[str, Pinned] = {}
    failed: dict[str, DocsMlmError] = {}

    @retried
    def pin_sources() -> None:
        """Pin each source to a commit, with at most one question to its server."""
        for label, settings in sources.items():
            if label in pinned or isinstance(failed.get(label), UserError):
                continue
            try:
                pinned[label] = Pinned(settings=settings, source=resolve_source(settings))
                failed.pop(label, None)
            except DocsMlmError as error:
                failed[label] = error
        away = [error for error in failed.values() if isinstance(error, NetworkError)]
        if away:
            raise min(away, key=lambda error: isinstance(error, UnknownHostError))

    with suppress(NetworkError):  # every source's own is in `failed`
        pin_sources()
    outcomes = [
        Outcome(name=label, run="–", state="Failed", message=str(failed[label]))
        for label in sources
        if label in failed
    ]
    return {label: pinned[label] for label in sources if label in pinned}, outcomes


@retried
def resolve_joint_plan(settings: Settings, pinned: dict[str, Pinned]) -> JointPlan:
    """Pin the model, see what the store already has of all sources together, and show the plan."""
    check_starts(flow_run.run_count or 1)
    check_server_of_run()
    plan = make_joint_plan(settings, pinned)
    check_ready(plan, settings)
    show_plan(plan)
    if len(plan.parts) < len(pinned):
        stage_logger().warning("Of %d sources only %d differ", len(pinned), len(plan.parts))
    return plan
