"""The demo: the main flow on documents that every machine with docs-mlm already has."""

from pathlib import Path
from typing import Annotated

from prefect import flow
from pydantic import Field

from flows.adapt import adapt
from flows.parameters import DEFAULTS, CheckedStore
from flows.presets import preset_settings
from tasks.clone_docs.demo_docs import make_demo_docs
from tasks.run.summary import RunSummary


@flow(name="docs-mlm-demo", persist_result=False)
def demo(
    store: CheckedStore = DEFAULTS.store,
    work_dir: Path = DEFAULTS.work_dir,
    max_steps: Annotated[int, Field(ge=-1)] = DEFAULTS.train.max_steps,
) -> RunSummary:
    """Adapt a small BERT to the descriptions of the installed Python packages, without a network.

    Args:
        store: Where every result is kept: a folder, file:///… or s3://bucket/prefix.
        work_dir: Scratch space on the worker's machine; may be deleted between runs.
        max_steps: Stop training after this many steps, for a still quicker look; -1 for no limit.
    """
    url = make_demo_docs(work_dir / "demo-docs")
    chosen = preset_settings("demo", source={"url": url}, store=store, work_dir=work_dir)
    train = chosen.train.model_copy(update={"max_steps": max_steps})
    chosen = chosen.model_copy(update={"train": train})
    # Not as a run of its own: this one then has the log and the artifacts, is cancelled, and resumes.
    summary: RunSummary = adapt.fn(**chosen.as_parameters())
    return summary


if __name__ == "__main__":
    raise SystemExit(
        "flows.demo is a flow: to run it, type `python -m flows.command demo` or `docs-mlm demo`"
    )
