"""Several documentation repositories: one adaptation each, and one's failure does not sink the others."""

from pathlib import Path
from typing import Annotated

from prefect import flow
from pydantic import Field

from flows.adapt import DEFAULTS, adapt
from tasks.run_each import Outcome, run_each, source_label
from tasks.settings import (
    FilterSettings,
    ModelSettings,
    PublishSettings,
    Settings,
    SourceSettings,
    TokenizeSettings,
    TrainSettings,
)


@flow(name="docs-mlm-several", persist_result=False)
def adapt_many(
    sources: Annotated[list[SourceSettings], Field(min_length=1)],
    filter: FilterSettings = DEFAULTS.filter,
    tokenize: TokenizeSettings = DEFAULTS.tokenize,
    model: ModelSettings = DEFAULTS.model,
    train: TrainSettings = DEFAULTS.train,
    publish: PublishSettings = DEFAULTS.publish,
    store: str = DEFAULTS.store,
    work_dir: Path = DEFAULTS.work_dir,
    at_once: Annotated[int, Field(ge=1, le=64)] = 1,
) -> list[Outcome]:
    """Adapt one model to each of several documentation repositories.

    Args:
        sources: One or more sources, each as a single run takes it.
        store: Where every result is kept: a folder, file:///… or s3://bucket/prefix. The keys and the
            endpoint of S3 come from the worker's environment (AWS_*).
        work_dir: Scratch space on the worker's machine; may be deleted between runs.
        at_once: Runs at the same time, each a process of its own on the worker's machine.
    """
    runs = {}
    for number, source in enumerate(sources, 1):
        settings = Settings(
            source=source, filter=filter, tokenize=tokenize, model=model, train=train, publish=publish,
            store=store, work_dir=work_dir,
        )  # fmt: skip
        runs[f"{number}. {source_label(source)}"] = settings.as_parameters()
    return run_each(adapt, runs, at_once=at_once)
