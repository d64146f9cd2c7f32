"""Experiment trackers: installed or a clear error, and never a question on the terminal."""

import os
from importlib.util import find_spec
from netrc import NetrcParseError, netrc
from pathlib import Path

from tasks.errors import UserError

MODULES = {"tensorboard": "tensorboard", "wandb": "wandb", "mlflow": "mlflow"}


def prepare_trackers(names: list[str], folder: Path) -> None:
    """See that the trackers are installed, and that none of them stops to ask for a key.

    Without a key, Weights & Biases writes its run into `folder`, to be sent later with `wandb sync`.
    Whatever the environment already says stays as it is.

    Raises:
        UserError: a tracker is not installed.
    """
    for name in names:
        if find_spec(MODULES[name]) is None:
            raise UserError(
                f"train.report_to has {name!r}, which is not installed: pip install 'docs-mlm[{name}]', "
                "or leave it out"
            )
    if "wandb" in names:
        os.environ.setdefault("WANDB_SILENT", "true")
        os.environ.setdefault("WANDB_DIR", str(folder))
        if not os.environ.get("WANDB_API_KEY") and not _stored_key():
            os.environ.setdefault("WANDB_MODE", "offline")
    if "tensorboard" in names:
        os.environ.setdefault("TENSORBOARD_LOGGING_DIR", str(folder / "tensorboard"))
    if "mlflow" in names:
        # A tracker that asks nothing, and fails nothing: a file beside the run, unless a server is named.
        os.environ.setdefault("MLFLOW_TRACKING_URI", (folder / "mlruns").as_uri())


def _stored_key() -> bool:
    """Whether `wandb login` has left a key."""
    try:
        return netrc().authenticators("api.wandb.ai") is not None
    except (FileNotFoundError, NetrcParseError):
        return False
