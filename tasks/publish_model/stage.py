"""Stage 6: the adapted model becomes a version that anyone can load.

The folder is a plain Hugging Face checkpoint with a model card and `summary.json`, so a copy of it loads with
`from_pretrained`, its tokenizer by transformers 4 too.
"""

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

from tasks.publish_model.card import Origin, model_card, retrieval_card
from tasks.publish_model.lineage import Lineage
from tasks.publish_model.portable import make_portable
from tasks.publish_model.report import report
from tasks.publish_model.settings import PublishSettings
from tasks.records import EmbeddedModel, EvaluatedModel, Pairs, PublishedModel, TrainedModel
from tasks.stage.stage import stage
from tasks.stage.target import Target


@stage(
    PublishedModel,
    version=2,
    parents=(Pairs, TrainedModel, EmbeddedModel, EvaluatedModel),
    recipe=PublishSettings.keyed,
    bar="upload",
)
def publish_model(target: Target, lineage: Lineage, origin: Origin) -> PublishedModel:
    """Publish model, tokenizer, card and figures as a new version in the store."""
    trained = target.fetch(lineage.trained)
    name = origin.model_name(lineage.snapshot.source)
    version = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{target.key[:8]}"
    with target.building() as folder:
        shutil.copytree(trained / TrainedModel.MODEL, folder, dirs_exist_ok=True)
        make_portable(folder)
        (folder / PublishedModel.CARD).write_text(model_card(lineage, origin), encoding="utf-8")
        (folder / PublishedModel.REPORT).write_text(report(lineage, name), encoding="utf-8")
        if lineage.retrieval is not None:
            put_retrieval(target, lineage.retrieval, folder / PublishedModel.RETRIEVAL)
            card = folder / PublishedModel.RETRIEVAL / PublishedModel.CARD
            card.write_text(retrieval_card(lineage, origin), encoding="utf-8")
        summary = lineage.figures() | {
            "run_key": target.key,
            "model": {"uri": target.uri, "version": version},
            "name": name,
            "base_model": origin.base.name,
            "retrieval_model": retrieval_model(lineage, target.uri, version),
            "fill_samples": lineage.trained.fill_samples,
            "history": lineage.trained.history,
        }
        (folder / PublishedModel.SUMMARY).write_text(json.dumps(summary, indent=1), encoding="utf-8")
        counts = {"version": version, "name": name}
        return target.commit(folder, PublishedModel, counts, of=lineage.records())


def put_retrieval(target: Target, embedded: EmbeddedModel, folder: Path) -> None:
    """Put the retrieval model into its folder beside the other."""
    shutil.copytree(target.fetch(embedded) / EmbeddedModel.MODEL, folder)
    make_portable(folder)


def retrieval_model(lineage: Lineage, uri: str, version: str) -> dict[str, str] | None:
    """Where the retrieval model of the published `version` lies; None where there is none."""
    if lineage.retrieval is None:
        return None
    return {"uri": f"{uri}/{PublishedModel.RETRIEVAL}", "version": version}
