"""The training stage on the corpus of `corpus.py`, with a store of its own and without Prefect around it."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from tasks.models.pinned import PinnedModel, resolve_model
from tasks.models.settings import ModelSettings
from tasks.records import TokenizedDataset, TrainedModel
from tasks.stage.target import Target
from tasks.store.folders import Store
from tasks.store.manifest import Manifest
from tasks.train_model.settings import TrainSettings
from tasks.train_model.stage import train_model
from tasks.training.checkpoints import CheckpointKeeper
from tests.tasks.settings.corpus import HELD_OUT, PLACES, TINY, VOCABULARY, WINDOWS
from tests.tasks.settings.watching import BASE, Watched, watching


class Staged:
    """A store that holds the windows, and a work folder: both are new."""

    def __init__(self, corpus: Path, folder: Path) -> None:
        self.store, self.work_dir = Store(str(folder / "store")), folder / "work"
        key = "0" * 32
        self.tokenized = TokenizedDataset(
            uri=self.store.uri("tokenized", key),
            key=key,
            vocab_size=VOCABULARY,
            max_seq_length=PLACES + 2,
            train_windows=WINDOWS,
            eval_windows=HELD_OUT,
            corpus_tokens=(WINDOWS + HELD_OUT) * PLACES,
            train_document_tokens=WINDOWS * PLACES,
            train_tokens=WINDOWS * PLACES,
            eval_tokens=HELD_OUT * PLACES,
        )
        shutil.copytree(corpus, folder / "tokenized")
        manifest = Manifest(stage="tokenized", key=key, record=self.tokenized.as_json())
        self.store.commit(folder / "tokenized", self.tokenized.uri, manifest)

    def train(self, base: PinnedModel | None = None, **changes: Any) -> Watched:
        """Train with the settings of `BASE` and these changes, under the same key each time."""
        key, settings = "1" * 32, TrainSettings(**(BASE | changes))
        base = base or resolve_model(ModelSettings(from_scratch=TINY))
        target = Target(
            stage="training",
            key=key,
            uri=self.store.uri("training", key),
            action="run",
            why="",
            store_url=self.store.url,
            work_dir=str(self.work_dir),
            settings=train_model.recipe(base, settings),
        )
        self.store.remove(target.uri)
        with pytest.MonkeyPatch.context() as patch, watching() as found:
            # What Prefect shows of a training needs its server.
            patch.setattr("tasks.training.watch.TrainingWatch", lambda: None)
            patch.setattr(CheckpointKeeper, "submit", _submit_and_wait)
            record = train_model.make(target, self.tokenized, base, settings)
        found.report = record
        shutil.rmtree(self.work_dir / "trained", ignore_errors=True)
        found.folder = self.store.fetch(record.uri, self.work_dir / "trained") / TrainedModel.MODEL
        found.weights = load_file(found.folder / "model.safetensors")
        return found

    def checkpoints(self) -> dict[int, str]:
        """The complete checkpoints in the store, by step: their URIs."""
        folder = self.store.uri("checkpoints", "1" * 32)
        uris = [f"{folder}/{name}" for name in self.store.folders(folder)]
        return {int(uri.rsplit("-", 2)[1]): uri for uri in sorted(uris) if self.store.manifest(uri)}


def _submit_and_wait(keeper: CheckpointKeeper, folder: Path, global_step: int) -> None:
    """Submit a checkpoint, and wait until it is stored: in a hurry a newer one would take its place."""
    _submit(keeper, folder, global_step)
    keeper.close()


_submit = CheckpointKeeper.submit
