"""One of several processes that train together: torch's launcher starts it, its parent hears of it."""

import logging
import os
import sys
import threading
import time
from importlib import import_module
from multiprocessing.connection import Client
from pathlib import Path

import torch.distributed as dist

from tasks.errors import UserError
from tasks.machine import collect_seldom
from tasks.training.processes import ranks
from tasks.training.processes.launch import EVENTS, PARENT
from tasks.training.processes.messages import Ended, Message, Progress, Said, Saved


class Teller:
    """Tells the parent what happens, and leaves checkpoints to it, which has the store."""

    def __init__(self) -> None:
        self._connection = Client(os.environ[EVENTS], "AF_UNIX")
        self._turn = threading.Lock()

    def tell(self, message: Message) -> None:
        """Send one message; threads take turns."""
        with self._turn:
            self._connection.send(message)

    def submit(self, folder: Path, global_step: int) -> None:
        """Tell the parent of a checkpoint."""
        self.tell(Saved(folder, global_step))

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
        self._teller.tell(Said(record.levelno, record.getMessage()))


def end_with_parent(parent: int) -> None:
    """End this process when its parent has died without a word: nobody would take its checkpoints."""
    while True:
        time.sleep(2)
        try:
            os.kill(parent, 0)
        except ProcessLookupError:
            os._exit(1)


def main() -> int:
    """Do the work that the command line names, on the job in the file that it names."""
    threading.Thread(target=end_with_parent, args=(int(os.environ[PARENT]),), daemon=True).start()
    collect_seldom()
    module, _, function = sys.argv[1].partition(":")
    work = getattr(import_module(module), function)
    teller = Teller() if ranks.rank() == 0 else None
    log = logging.getLogger("docs_mlm")
    log.propagate = False
    log.setLevel(logging.INFO)
    log.addHandler(logging.NullHandler() if teller is None else TellingHandler(teller))
    try:
        report = work(
            Path(sys.argv[2]).read_text(encoding="utf-8"),
            teller,
            None if teller is None else lambda point: teller.tell(Progress(point)),
        )
    except UserError as error:
        if teller:
            teller.tell(Ended(mistake=str(error)))
        return 1
    if teller:
        teller.tell(Ended(report=report))
    if dist.is_initialized():
        dist.destroy_process_group()
    return 0


if __name__ == "__main__":
    sys.exit(main())
