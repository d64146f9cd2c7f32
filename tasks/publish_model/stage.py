"""Stage 6: the adapted model becomes a version that anyone can load.

The folder is a plain Hugging Face checkpoint with a model card and `summary.json`, so a copy of it loads with
`from_pretrained`, its tokenizer by transformers 4 too.
"""

import json
import shutil
from datetime import UTC, datetime

from tasks.publish_model.card import Origin, model_card
from tasks.publish_model.lineage import Lineage
from tasks.publish_model.portable import make_portable
from tasks.publish_model.settings import PublishSettings
from tasks.records import PublishedModel, TrainedModel
from tasks.stage.stage import stage
from tasks.stage.target import Target


@stage(PublishedModel, version=1, parents=(TrainedModel,), recipe=PublishSettings.keyed, bar="upload")
def publish_model(target: Target, lineage: Lineage, origin: Origin) -> PublishedModel:
    """Publish model, tokenizer, card and figures as a new version in the store."""
    trained = target.fetch(lineage.trained)
    name = origin.model_name(lineage.snapshot.source)
    version = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{target.key[:8]}"
    with target.building() as folder:
        shutil.copytree(trained / TrainedModel.MODEL, folder, dirs_exist_ok=True)
        make_portable(folder)
        (folder / PublishedModel.CARD).write_text(model_card(lineage, origin), encoding="utf-8")
        summary = lineage.figures() | {
            "run_key": target.key,
            "model": {"uri": target.uri, "version": version},
            "name": name,
            "base_model": origin.base.name,
            "fill_samples": lineage.trained.fill_samples,
            "history": lineage.trained.history,
        }
        (folder / PublishedModel.SUMMARY).write_text(json.dumps(summary, indent=1), encoding="utf-8")
        counts = {"version": version, "name": name}
        return target.commit(folder, PublishedModel, counts, of=lineage.records())
