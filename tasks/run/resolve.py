"""The plan as a run's first task: it is made, checked and shown before anything else happens."""

from pathlib import Path

from prefect.artifacts import create_markdown_artifact
from prefect.client.orchestration import get_client
from prefect.runtime import deployment, flow_run

from tasks.cards import code, table, text
from tasks.errors import DocsMlmError
from tasks.evaluate_model.general_texts import check_settings
from tasks.exported import check_replaceable
from tasks.models.checks import check_base_model
from tasks.run.names import is_made_up, is_of_a_plan
from tasks.run.plan import Plan, SourcePlan, make_plan
from tasks.settings import Settings
from tasks.stage.log import stage_logger
from tasks.stage.retrying import retried
from tasks.stage.server import check_server_of_run
from tasks.store.folders import Store
from tasks.tokenize_corpus.stage import tokenize_corpus
from tasks.train_model.stage import train_model
from tasks.training.extras import check_trackers

MOST_STARTS = 10
"""How often one run may be started before it gives up: see `deployments/automations.yaml`."""


@retried
def resolve_plan(settings: Settings) -> SourcePlan:
    """Pin source and model, see what the store already has, and show the plan before anything runs."""
    check_starts(flow_run.run_count or 1)
    check_server_of_run()
    plan = make_plan(settings)
    check_ready(plan, settings)
    show_plan(plan)
    return plan


def check_ready(plan: Plan, settings: Settings) -> None:
    """See that what is to be run can be: extras, store, export and a model that can learn the objective.

    Raises:
        UserError: one of them is not so.
    """
    if plan[train_model].action == "run":
        check_trackers(settings.train.report_to)
    Store(settings.store).check(write=True)
    if settings.evaluate.enabled:
        check_settings(settings.evaluate)
    if settings.publish.export_texts is not None:
        check_replaceable(settings.publish.export_texts.expanduser())
    if plan[tokenize_corpus].action == "run" or plan[train_model].action == "run":
        check_base_model(plan.base, Path(plan[train_model].work_dir), settings.train.objective)


def show_plan(plan: Plan) -> None:
    """Name a flow run that nobody named after its plan, and show the plan as an artifact and in the log."""
    with get_client(sync_client=True) as client:
        name = client.read_flow_run(flow_run.id).name
        if is_made_up(name) or is_of_a_plan(name):
            client.update_flow_run(flow_run.id, name=f"{plan.name} {deployment.name or plan.run_key[:8]}")
    create_markdown_artifact(
        plan_table(plan), key="plan", description="What this run reuses and what it makes"
    )
    for name, target in plan.rows():
        stage_logger().info("Plan: %-9s %-5s (%s)", name, target.action, target.why)


def plan_table(plan: Plan) -> str:
    """The plan as a Markdown table."""
    rows = [
        (text(name), target.action, text(target.why), code(target.key[:12])) for name, target in plan.rows()
    ]
    return f"**{text(plan.name)}** into {code(plan.store_url)}\n\n" + table(
        ("stage", "action", "why", "key"), rows
    )


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
