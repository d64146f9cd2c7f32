"""One of several processes that train together: torch's launcher starts it, its parent hears of it."""

import json
import logging
import os
import sys
import threading
import time
from multiprocessing.connection import Client
from pathlib import Path
from typing import Any

import torch.distributed as dist

from tasks.errors import UserError
from tasks.train_model import ranks
from tasks.train_model.engine import train
from tasks.train_model.job import TrainJob
from tasks.train_model.launch import EVENTS, PARENT


class Teller:
    """Tells the parent what happens, and leaves checkpoints to it, which has the store."""

    def __init__(self) -> None:
        self._connection = Client(os.environ[EVENTS], "AF_UNIX")

    def tell(self, event: dict[str, Any]) -> None:
        """Send one event."""
        self._connection.send_bytes(json.dumps(event).encode())

    def submit(self, folder: Path, global_step: int) -> None:
        """Tell the parent of a checkpoint."""
        self.tell({"checkpoint": str(folder), "step": global_step})

    def close(self, timeout: float | None = None) -> bool:
        """Nothing to wait for here: the parent does."""
        return True


class TellingHandler(logging.Handler):
    """Sends log records to the parent's log."""

    def __init__(self, teller: Teller) -> None:
        super().__init__()
        self._teller = teller

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record."""
        self._teller.tell({"message": record.getMessage(), "level": record.levelno})


def end_with_parent(parent: int) -> None:
    """End this process when its parent has died without a word: nobody would take its checkpoints."""
    while True:
        time.sleep(2)
        try:
            os.kill(parent, 0)
        except ProcessLookupError:
            os._exit(1)


def main() -> int:
    """Train the job that the command line names."""
    threading.Thread(target=end_with_parent, args=(int(os.environ[PARENT]),), daemon=True).start()
    job = TrainJob.load(Path(sys.argv[1]).read_text(encoding="utf-8"))
    teller = Teller() if ranks.rank() == 0 else None
    log = logging.getLogger("docs_mlm")
    log.propagate = False
    log.setLevel(logging.INFO)
    log.addHandler(logging.NullHandler() if teller is None else TellingHandler(teller))
    try:
        outcome = train(job, keeper=teller, on_progress=teller.tell if teller else None)
    except UserError as error:
        if teller:
            (job.output / "failure.txt").write_text(str(error), encoding="utf-8")
        return 1
    if teller:
        (job.output / "outcome.json").write_text(outcome.dump(), encoding="utf-8")
    if dist.is_initialized():
        dist.destroy_process_group()
    return 0


if __name__ == "__main__":
    sys.exit(main())
