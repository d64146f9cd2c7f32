"""Who keeps a run's checkpoints safe, as the run itself sees it: it need not know of any store."""

from pathlib import Path
from typing import Protocol

from tasks.stage.log import stage_logger

CLOSE_SECONDS = 25.0
"""How long an interrupted run waits for its last checkpoint's upload: SIGKILL follows SIGTERM after 30."""


class Keeper(Protocol):
    """Who keeps checkpoints safe: `CheckpointKeeper`, or in a child process one that tells its parent."""

    def submit(self, folder: Path, global_step: int) -> None:
        """Take over a checkpoint that was just written."""

    def close(self, timeout: float | None = None) -> bool:
        """Wait for what is under way."""


def store_in_time(keeper: Keeper) -> None:
    """Give the last checkpoint of a run that was asked to stop a while to reach the store."""
    if not keeper.close(timeout=CLOSE_SECONDS):
        stage_logger().warning(
            "The last checkpoint is not in the store, only in the work folder: run again on this machine"
        )
