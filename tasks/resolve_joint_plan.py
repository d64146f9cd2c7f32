"""The plan of one model of several sources: each source's own snapshot and corpus, then the joint chain.

A source's documents and corpus have the keys that a run on this source alone would give them, so they are
shared with such runs. The joint snapshot's and corpus' keys are made of theirs by name, in the order of the
names: the same sources are the same model however they are listed, and fewer of them are another.
"""

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

from prefect import task
from prefect.runtime import flow_run
from prefect.tasks import exponential_backoff

from tasks.base_models import BaseModel, check_window, resolve_base_model
from tasks.errors import DocsMlmError
from tasks.records import joint_commit, joint_name, short_commit, short_name
from tasks.resolve_plan import (
    Plan,
    check_ready,
    check_starts,
    plan_steps,
    show_plan,
    stage_recipes,
)
from tasks.run_each import Outcome
from tasks.settings import Settings, SourceSettings
from tasks.sources.resolving import ResolvedSource, resolve_source
from tasks.stage import Step, is_network_fault, stage_logger
from tasks.store import Store

OWN = ("documents", "corpus")
"""The stages that each source of a joint corpus has for itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinned:
    """A source as the user chose it, and what it is at this moment."""

    settings: SourceSettings
    source: ResolvedSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One source of a joint corpus: what to fetch, and its own two steps."""

    label: str
    """As the run's report calls it."""
    pinned: Pinned
    documents: Step
    corpus: Step

    @property
    def run_name(self) -> str:
        """What the run that makes it is called."""
        return f"{short_name(self.pinned.source.name)}@{short_commit(self.pinned.source.commit_sha)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class JointPlan(Plan):
    """What a run on several sources at once will do."""

    parts: dict[str, Part]
    """By the name that the source's documents begin with."""

    def rows(self) -> list[tuple[str, Step]]:
        """The sources' own steps first, where they are needed."""
        own = [
            (f"{step.stage} of {name}", step)
            for name, part in self.parts.items()
            for step in (part.documents, part.corpus)
            if self["corpus"].action == "run"
        ]
        return [*own, *self.steps.items()]

    def missing(self) -> dict[str, Part]:
        """The parts that must be made first, by label: none where the joint corpus is not needed any more."""
        wanted = self["corpus"].action == "run"
        return {p.label: p for p in self.parts.values() if wanted and p.corpus.action == "run"}

    def own_steps(self, stage: str) -> dict[str, Step]:
        """The step of one of the sources' own stages, by source."""
        return {name: getattr(part, stage) for name, part in self.parts.items()}


def make_joint_plan(settings: Settings, pinned: dict[str, Pinned]) -> JointPlan:
    """Compute every key of a model of the sources in `pinned`, by label, and see what the store has.

    Raises:
        UserError: the model or the store is not there, or windows do not fit the model.
        NetworkError: a host does not answer.
    """
    store = Store(settings.store)
    store.check(write=False)
    base = resolve_base_model(settings.model)
    check_window(settings.tokenize.max_seq_length, base)
    parts = named_parts([make_part(store, settings, base, label, one) for label, one in pinned.items()])
    seconds: dict[str, float] = {}
    commits = {name: part.pinned.source.commit_sha for name, part in parts.items()}
    sources = joint_name([part.pinned.source.name for part in parts.values()])
    return JointPlan(
        name=f"{sources}@{short_commit(joint_commit(commits))}",
        parts=parts,
        base=base,
        store_url=store.url,
        steps=plan_steps(store, settings, joint_recipes(settings, base, parts), seconds),
        seconds=seconds,
    )


def make_part(store: Store, settings: Settings, base: BaseModel, label: str, pinned: Pinned) -> Part:
    """One source's own steps, with the keys that a run on it alone gives them."""
    alone = settings.model_copy(update={"source": pinned.settings})
    recipes = stage_recipes(alone, pinned.source, base)
    steps = {
        stage: replace(step, why="not in the store yet") if step.action == "run" else step
        for stage, step in plan_steps(store, alone, {stage: recipes[stage] for stage in OWN}, {}).items()
    }
    return Part(label=label, pinned=pinned, documents=steps["documents"], corpus=steps["corpus"])


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


def joint_recipes(settings: Settings, base: BaseModel, parts: dict[str, Part]) -> dict[str, dict[str, Any]]:
    """What goes into each stage's key besides its parent's key, in the order of the stages."""
    first = next(iter(parts.values()))
    usual = stage_recipes(
        settings.model_copy(update={"source": first.pinned.settings}), first.pinned.source, base
    )
    return usual | {
        "documents": {
            "commits": {name: part.pinned.source.commit_sha for name, part in parts.items()},
            "snapshots": {name: part.documents.key for name, part in parts.items()},
        },
        "corpus": {**settings.filter.keyed(), "parts": {name: p.corpus.key for name, p in parts.items()}},
    }


@task(
    retries=4,
    retry_delay_seconds=exponential_backoff(2),
    retry_jitter_factor=0.5,
    retry_condition_fn=is_network_fault,
)
def pin_source(settings: SourceSettings) -> ResolvedSource:
    """Pin one source to a commit, with at most one question to its server."""
    return resolve_source(settings)


def pin_sources(sources: dict[str, SourceSettings]) -> tuple[dict[str, Pinned], list[Outcome]]:
    """Each source's commit by label, and how it ended for those that cannot be had."""
    pinned: dict[str, Pinned] = {}
    failed: list[Outcome] = []
    for label, settings in sources.items():
        state: Any = pin_source(settings, return_state=True)
        found = state.result(raise_on_failure=False)
        if isinstance(found, ResolvedSource):
            pinned[label] = Pinned(settings=settings, source=found)
        elif isinstance(found, DocsMlmError):
            failed.append(Outcome(name=label, run="–", state="Failed", message=str(found)))
        else:
            raise found
    return pinned, failed


@task(
    retries=4,
    retry_delay_seconds=exponential_backoff(2),
    retry_jitter_factor=0.5,
    retry_condition_fn=is_network_fault,
)
def resolve_joint_plan(settings: Settings, pinned: dict[str, Pinned]) -> JointPlan:
    """Pin the model, see what the store already has of all sources together, and show the plan."""
    check_starts(flow_run.run_count or 1)
    plan = make_joint_plan(settings, pinned)
    check_ready(plan, settings)
    show_plan(plan)
    if len(plan.parts) < len(pinned):
        stage_logger().warning("Of %d sources only %d differ", len(pinned), len(plan.parts))
    return plan
