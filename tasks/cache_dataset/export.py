"""The kept texts as one JSON list of strings, as the notebook wrote them."""

from pathlib import Path

from prefect import task

from tasks.cache_dataset.dataset import export_dataset
from tasks.exported import Form
from tasks.records import CachedDataset
from tasks.stage.log import stage_logger
from tasks.stage.target import Target


@task
def export_texts(source: Target, dataset: CachedDataset, file: Path, form: Form) -> None:
    """Write the kept texts, cleaned or raw, as one JSON list of strings."""
    file = file.expanduser()
    count = export_dataset(source.fetch(dataset) / CachedDataset.FOLDER, file, form=form)
    stage_logger().info("Wrote %s texts to %s", f"{count:,}", file)
