"""The end of a run: its figures in one object, its artifacts for the Prefect UI, and `latest.json`."""

from dataclasses import asdict, dataclass
from typing import Any

from prefect import task
from prefect.artifacts import create_markdown_artifact

from tasks.publish_model import Lineage, figures_table
from tasks.records import PublishedModel, TrainedModel
from tasks.resolve_plan import Plan
from tasks.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """What `docs-mlm run --json` prints."""

    run_key: str
    name: str
    source: str
    commit_sha: str
    store: str
    stages: dict[str, dict[str, Any]]
    """By stage: `reused`, `seconds`, `uri`, and `why`."""
    documents: dict[str, Any]
    tokens: dict[str, Any]
    training: dict[str, Any]
    eval: dict[str, Any]
    model: dict[str, str]
    fill_samples: list[dict[str, Any]]

    def as_json(self) -> dict[str, Any]:
        """The summary as JSON-ready values."""
        return asdict(self)


def build_summary(plan: Plan, lineage: Lineage, model: PublishedModel) -> RunSummary:
    """The run's figures from its records."""
    stages = {
        name: {
            "reused": step.action == "reuse",
            "seconds": plan.seconds.get(name, 0.0),
            "uri": step.uri,
            "why": step.why,
        }
        for name, step in plan.steps.items()
    }
    return RunSummary(
        run_key=plan.run_key,
        name=plan.name,
        store=plan.store_url,
        stages=stages,
        model={"uri": model.uri, "version": model.version},
        fill_samples=lineage.trained.fill_samples,
        **lineage.figures(),
    )


def move_latest(store: Store, model: PublishedModel) -> bool:
    """Point `latest.json` at `model` unless it points at a newer version; whether it moved.

    Done at the end of every run, not only of the one that published: a run that died between the two
    is put right by the next.
    """
    uri = store.uri("models", "latest.json")
    latest = store.read_json(uri)
    if latest is not None and str(latest.get("version", "")) >= model.version:
        return False
    store.write_json(uri, model.as_json())
    return True


def curve_chart(trained: TrainedModel, points: int = 60) -> str:
    """The training loss as a Mermaid chart, which the Prefect UI draws without a network."""
    curve = [point for point in trained.history if "loss" in point]
    if len(curve) < 2:
        return ""
    chosen = curve[:: max(1, len(curve) // points)]
    steps = ", ".join(f"{point['step']:.0f}" for point in chosen)
    losses = ", ".join(f"{point['loss']:.3f}" for point in chosen)
    return f"""```mermaid
xychart-beta
    title "Training loss (nats a masked token)"
    x-axis "step" [{steps}]
    y-axis "loss"
    line [{losses}]
```"""


def training_card(trained: TrainedModel) -> str:
    """How the training went, as Markdown."""
    return f"""{figures_table(trained)}

{trained.global_step:,} steps at {trained.tokens_per_second:,.0f} tokens/s on {trained.device}.

{curve_chart(trained)}
"""


@task
def summarise_run(plan: Plan, lineage: Lineage, model: PublishedModel) -> RunSummary:
    """Gather the run's figures, and let `latest.json` point at the model that it published."""
    move_latest(Store(plan.store_url), model)
    create_markdown_artifact(
        training_card(lineage.trained), key="loss-curve", description="How training went"
    )
    return build_summary(plan, lineage, model)
