"""The demo: the main flow on documents that every machine with docs-mlm already has."""

import sys
from pathlib import Path

from prefect import flow

from flows.adapt import adapt
from flows.presets import preset_settings
from tasks.make_demo_docs import make_demo_docs
from tasks.settings import Settings
from tasks.summarise_run import RunSummary

DEFAULTS = Settings()


@flow(name="docs-mlm-demo", persist_result=False)
def demo(store: str = DEFAULTS.store, work_dir: Path = DEFAULTS.work_dir) -> RunSummary:
    """Adapt a small BERT to the descriptions of the installed Python packages, without a network."""
    url = make_demo_docs(work_dir / "demo-docs")
    chosen = preset_settings("demo", source={"url": url}, store=store, work_dir=work_dir)
    summary: RunSummary = adapt(**chosen.as_parameters())
    return summary


if __name__ == "__main__":
    from flows.command import main

    main(["demo", *sys.argv[1:]])
