"""The whole flow, stage after stage, without Prefect around it: what it makes is the same."""

from typing import Any

import pytest

from flows import adapt
from tasks.models.published import list_versions
from tasks.publish_model.lineage import Lineage
from tasks.records import PublishedModel
from tasks.run.plan import Plan, make_plan
from tasks.run.summary import RunSummary, build_summary
from tasks.settings import Settings
from tasks.stage.target import Target
from tasks.store.folders import Store


def whole_run(settings: Settings) -> RunSummary:
    """Run the flow with these settings, and tell its figures."""

    def run(make: Any, record: Any, target: Target, args: Any, kwargs: Any, **_: Any) -> Any:
        if target.action == "reuse":
            return record.from_json(target.record)
        target.seconds[target.stage] = 1.0
        return make(target, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tasks.stage.running.run", run)
        patch.setattr("tasks.training.watch.TrainingWatch", lambda: None)
        # What is left out here is shown by Prefect and changes nothing.
        patch.setattr(adapt, "resolve_plan", make_plan)
        patch.setattr(adapt, "summarise_run", summarised)
        patch.setattr(adapt, "export_texts", adapt.export_texts.fn)
        return adapt.adapt.fn(**settings.as_parameters())


def summarised(plan: Plan, lineage: Lineage, model: PublishedModel) -> RunSummary:
    """The figures of a run, without its artifacts."""
    return build_summary(plan, lineage, model, list_versions(Store(plan.store_url)))
