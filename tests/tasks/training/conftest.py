"""What the stage's own tests train on."""

from tests.tasks.train_model.conftest import tokenized
from tests.tracks import quiet_trackers

__all__ = ["quiet_trackers", "tokenized"]
"""Fixtures of other rooms."""
