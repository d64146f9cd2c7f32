"""The plan of a run: every stage's key, whether the store already has its result, and why it must run if not.

The source is pinned to a commit and the model to a revision, all keys are computed from those, and the
manifests are probed from the end backwards: with the last result in the store, nothing before it is
needed, wherever it was made. That is how a restart on a new machine costs seconds.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prefect import task
from prefect.artifacts import create_markdown_artifact
from prefect.client.orchestration import get_client
from prefect.runtime import deployment, flow_run
from prefect.tasks import exponential_backoff

from tasks.base_models import BaseModel, check_base_model, check_window, resolve_base_model
from tasks.errors import DocsMlmError
from tasks.keys import STAGES, content_key
from tasks.published import newest_model
from tasks.records import short_commit, short_name
from tasks.settings import Settings
from tasks.sources.resolving import ResolvedSource, resolve_source
from tasks.stage import Step, is_network_fault, stage_logger
from tasks.store import Manifest, Store

MOST_STARTS = 10
"""How often one run may be started before it gives up: see `deployments/automations.yaml`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run will do, stage by stage."""

    name: str
    """Source and commit, for people."""
    base: BaseModel
    store_url: str
    steps: dict[str, Step]
    seconds: dict[str, float] = field(default_factory=dict)
    """Filled while the run goes on: what each stage took that was made here and not reused."""

    def __getitem__(self, stage: str) -> Step:
        """The step of one stage."""
        return self.steps[stage]

    @property
    def run_key(self) -> str:
        """The key of the run's last result."""
        return self.steps[STAGES[-1]].key

    def rows(self) -> list[tuple[str, Step]]:
        """Every step, in order, and what a person calls it."""
        return list(self.steps.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcePlan(Plan):
    """What a run on one source will do."""

    source: ResolvedSource


def make_plan(settings: Settings) -> SourcePlan:
    """Pin source and model, compute every key, and see what the store has. Writes nothing.

    Raises:
        UserError: the source, the model or the store is not there, or windows do not fit the model.
        NetworkError: a host does not answer.
    """
    store = Store(settings.store)
    store.check(write=False)
    source = resolve_source(settings.source)
    base = resolve_base_model(settings.model)
    check_window(settings.tokenize.max_seq_length, base)
    recipes = stage_recipes(settings, source, base)
    seconds: dict[str, float] = {}
    return SourcePlan(
        name=f"{short_name(source.name)}@{short_commit(source.commit_sha)}",
        source=source,
        base=base,
        store_url=store.url,
        steps=plan_steps(store, settings, recipes, seconds),
        seconds=seconds,
    )


def plan_steps(
    store: Store, settings: Settings, recipes: dict[str, dict[str, Any]], seconds: dict[str, float]
) -> dict[str, Step]:
    """Every stage's step: its key, and whether the store has its result or why it must run."""
    keys = chained_keys(recipes)
    found = probe(store, keys, also=["dataset"] if settings.publish.export_texts else [])
    reasons = why_run(store, recipes, {stage for stage in keys if stage not in found})
    steps: dict[str, Step] = {}
    for stage, key in keys.items():
        record, here = found.get(stage, (None, False))
        reason = "found in the store" if here else "not needed: a later result is in the store"
        steps[stage] = Step(
            stage=stage,
            key=key,
            uri=store.uri(stage, key),
            action="reuse" if record else "run",
            why=reason if record else reasons[stage],
            store_url=store.url,
            work_dir=str(settings.work_dir.expanduser().absolute()),
            settings=recipes[stage],
            # A store that was copied elsewhere still names the old place.
            record=record and record | {"uri": store.uri(stage, record["key"])},
            seconds=seconds,
        )
    return steps


def chained_keys(recipes: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Each stage's key, made of its recipe and of the key of the stage before."""
    keys: dict[str, str] = {}
    for stage, recipe in recipes.items():
        parent = {"parent": list(keys.values())[-1]} if keys else {}
        keys[stage] = content_key(stage, **parent, **recipe)
    return keys


def stage_recipes(settings: Settings, source: ResolvedSource, base: BaseModel) -> dict[str, dict[str, Any]]:
    """What goes into each stage's key besides its parent's key, in the order of the stages."""
    kinds = {
        "url": {"include", "exclude"},
        "checkout": {"include", "exclude"},
        "folder": {"include", "exclude", "recursive"},
        "json_file": set(),
    }
    chosen = settings.source.model_dump(mode="json", include=kinds[source.kind] | {"max_file_bytes"})
    return {
        "documents": {"source": source.identity, "commit_sha": source.commit_sha, **chosen},
        "corpus": settings.filter.keyed(),
        "dataset": {},
        "tokenized": {"tokenizer": base.tokenizer_fingerprint, **settings.tokenize.keyed()},
        "training": {"model": base.fingerprint, **settings.train.keyed()},
        "models": settings.publish.keyed(),
    }


def probe(store: Store, keys: dict[str, str], also: list[str]) -> dict[str, tuple[dict[str, Any], bool]]:
    """The stages whose result need not be made: their record, and whether their own folder is there.

    The last result is looked for first; what it was made of is then known from its manifest. Results
    in `also` are wanted for themselves.
    """
    found: dict[str, tuple[dict[str, Any], bool]] = {}
    stages = list(keys)
    for wanted in (stages[-1], *also):
        for name in reversed(stages[: stages.index(wanted) + 1]):
            manifest = store.manifest(store.uri(name, keys[name]))
            if manifest is None:
                found.pop(name, None)
                continue
            found[name] = (manifest.record, True)
            for stage, record in manifest.ancestors.items():
                found.setdefault(stage, (record, False))
            break
    return found


def why_run(store: Store, recipes: dict[str, dict[str, Any]], missing: set[str]) -> dict[str, str]:
    """For each missing stage, what changed since the newest published model, in a user's words."""
    reasons: dict[str, str] = {}
    latest = newest_model(store)
    previous = ""
    for stage in STAGES:
        if stage not in missing:
            continue
        if previous:
            reasons[stage] = f"{previous} is made anew"
        elif latest is None:
            reasons[stage] = "nothing is stored yet"
        else:
            before = _stored_settings(store, latest, stage) or {}
            # One source and several are described by other settings, which say nothing of each other.
            alike = before.keys() & recipes[stage].keys()
            changes = list(changed(before, recipes[stage])) if alike else []
            reasons[stage] = "; ".join(changes[:3]) or "its result is not in the store"
        previous = stage
    return reasons


def changed(before: dict[str, Any] | None, after: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """Each setting that differs, as `name: old → new`."""
    for name in sorted(before.keys() | after.keys() if before is not None else ()):
        old, new = (before or {}).get(name), after.get(name)
        if isinstance(old or new, dict) and isinstance(new or old, dict):
            yield from changed(old or {}, new or {}, f"{prefix}{name}.")
        elif old != new:
            yield f"{prefix}{name}: {_short(old)} → {_short(new)}"


def plan_table(plan: Plan) -> str:
    """The plan as a Markdown table."""
    rows = [f"| {name} | {step.action} | {step.why} | `{step.key[:12]}` |" for name, step in plan.rows()]
    return "\n".join(
        [
            f"**{plan.name}** into `{plan.store_url}`",
            "",
            "| stage | action | why | key |",
            "|---|---|---|---|",
            *rows,
        ]
    )


@task(
    retries=4,
    retry_delay_seconds=exponential_backoff(2),
    retry_jitter_factor=0.5,
    retry_condition_fn=is_network_fault,
)
def resolve_plan(settings: Settings) -> SourcePlan:
    """Pin source and model, see what the store already has, and show the plan before anything runs."""
    check_starts(flow_run.run_count or 1)
    plan = make_plan(settings)
    check_ready(plan, settings)
    show_plan(plan)
    return plan


def check_ready(plan: Plan, settings: Settings) -> None:
    """See that what is to be run can be: the store takes files, and the model can learn the objective.

    Raises:
        UserError: one of them is not so.
    """
    Store(settings.store).check(write=True)
    if plan["tokenized"].action == "run" or plan["training"].action == "run":
        check_base_model(plan.base, Path(plan["training"].work_dir), settings.train.objective)


def show_plan(plan: Plan) -> None:
    """Name the flow run after its plan, and show the plan as an artifact and in the log."""
    with get_client(sync_client=True) as client:
        client.update_flow_run(flow_run.id, name=f"{plan.name} {deployment.name or plan.run_key[:8]}")
    create_markdown_artifact(
        plan_table(plan), key="plan", description="What this run reuses and what it makes"
    )
    for name, step in plan.rows():
        stage_logger().info("Plan: %-9s %-5s (%s)", name, step.action, step.why)


def check_starts(starts: int) -> None:
    """See that a run which is resumed after each crash does not crash and resume for ever.

    Raises:
        DocsMlmError: it was started too often.
    """
    if starts > MOST_STARTS:
        raise DocsMlmError(
            f"this run was started {starts} times and ended early each time, the limit is {MOST_STARTS}: "
            "look at the worker's log (is memory or disk short?), then start a new run, which goes on from "
            "the newest checkpoint"
        )


def _stored_settings(store: Store, latest: Manifest, stage: str) -> dict[str, Any] | None:
    if stage == latest.stage:
        return latest.settings
    record = latest.ancestors.get(stage)
    manifest = store.manifest(store.uri(stage, record["key"])) if record else None
    return manifest.settings if manifest else None


def _short(value: Any) -> str:
    text = value[:12] if isinstance(value, str) and len(value) >= 32 else str(value)
    return text if len(text) <= 60 else text[:59] + "…"
