"""Trackers never stop to ask."""

from pathlib import Path

import pytest

from tasks.errors import UserError
from tasks.training import trackers


def test_a_missing_tracker_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tracker that is not installed is named, with the extra that brings it."""
    monkeypatch.setattr(trackers, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"'wandb', which is not installed: pip install 'docs-mlm\[wandb\]'"):
        trackers.prepare_trackers(["wandb"], tmp_path)


def test_wandb_without_a_key_stays_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a key the run is written to the work folder; with one, the mode is left alone."""
    monkeypatch.setattr(trackers, "find_spec", lambda name: name)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_SILENT", "WANDB_DIR"):
        monkeypatch.setenv(name, "x")
        monkeypatch.delenv(name)
    monkeypatch.setenv("WANDB_API_KEY", "secret")
    trackers.prepare_trackers(["wandb"], tmp_path)
    assert "WANDB_MODE" not in trackers.os.environ
    monkeypatch.delenv("WANDB_API_KEY")
    trackers.prepare_trackers(["wandb"], tmp_path)
    assert trackers.os.environ["WANDB_MODE"] == "offline"
    assert trackers.os.environ["WANDB_DIR"] == str(tmp_path)
