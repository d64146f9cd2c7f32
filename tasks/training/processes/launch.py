"""Several processes train as one: started by torch's launcher, heard through a socket, stopped gently.

The parent keeps the store and the log; the first child tells it what happens (`messages.py`). Nothing of the
parent's is inherited: children are started afresh, since the store's client survives no fork. What they work
on is handed in by name: any function `(job, keeper, listener) -> report`, with job and report as JSON.
"""

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Client, Listener
from pathlib import Path

from tasks.errors import DocsMlmError, UserError
from tasks.machine import usable_cores
from tasks.stage.log import stage_logger
from tasks.training import meter
from tasks.training.keeper import Keeper, store_in_time
from tasks.training.processes.interrupt import StopRequest, delayed_stop
from tasks.training.processes.messages import Ended, Message, Progress, Said, Saved

PARENT, EVENTS = "DOCS_MLM_PARENT", "DOCS_MLM_EVENTS"
"""Environment of the children: the parent's process, and the socket on which it hears the first of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """What is run by several processes, and by how many."""

    work: str
    """`module:function`, called with the job, a keeper and a listener; returns its report."""
    job: str
    """As JSON."""
    folder: Path
    """A folder of this machine for this run alone, whose name is the same on all machines."""
    processes: int
    """On this machine."""
    nodes: int = 1
    rdzv_endpoint: str | None = None
    """host:port where several machines meet."""


def launch(what: Launch, *, keeper: Keeper, on_progress: meter.Listener | None = None) -> str | None:
    """Run the work on all its processes; its report, or None on a machine that is not the first.

    Raises:
        UserError: as the work itself.
        DocsMlmError: a process died.
    """
    job = what.folder / "job.json"
    job.write_text(what.job, encoding="utf-8")
    request, log, end = StopRequest(), stage_logger(), list[Ended]()

    def hear(message: Message) -> None:
        match message:
            case Saved(folder, step):
                keeper.submit(folder, step)
            case Said(level, words):
                log.log(level, "%s", words)
            case Progress(point):
                if on_progress is not None:
                    on_progress(point)
            case Ended():
                end.append(message)

    with delayed_stop(request):
        code, said = _run(command(what, job), environment(what.processes), request, hear)
        if request.signal is not None:
            store_in_time(keeper)
    if end and end[0].mistake is not None:
        raise UserError(end[0].mistake)
    if code != 0:
        raise DocsMlmError(f"training on {what.processes} processes failed with exit code {code}:\n{said}")
    return end[0].report if end else None


def command(what: Launch, job: Path) -> list[str]:
    """The launcher's command line."""
    endpoint = what.rdzv_endpoint or "localhost:0"
    return [
        *(sys.executable, "-m", "torch.distributed.run"),
        *("--nnodes", str(what.nodes), "--nproc-per-node", str(what.processes)),
        *("--rdzv-backend", "c10d", "--rdzv-endpoint", endpoint, "--rdzv-id", what.folder.name),
        *("--max-restarts", "0", "-m", "tasks.training.processes.worker", what.work, str(job)),
    ]


def environment(processes: int) -> dict[str, str]:
    """The children's environment: this package to import, and their share of the cores.

    Without a say, torch's launcher would give each of several processes a single thread.
    """
    package = str(Path(__file__).parents[3])
    paths = os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH"))))
    threads = os.environ.get("OMP_NUM_THREADS") or str(max(1, usable_cores() // processes))
    return os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": threads, PARENT: str(os.getpid())}


def _run(
    arguments: list[str], inherited: dict[str, str], request: StopRequest, hear: Callable[[Message], None]
) -> tuple[int, str]:
    """Run the launcher to its end, pass on what the first child tells, and return its code and last words."""
    words: deque[str] = deque(maxlen=200)
    with tempfile.TemporaryDirectory(prefix="docs-mlm-") as folder:
        address = f"{folder}/events"
        with Listener(address, "AF_UNIX") as listener:
            events = threading.Thread(target=_listen, args=(listener, hear), daemon=True)
            events.start()
            child = subprocess.Popen(
                arguments,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                env=inherited | {EVENTS: address},
                # Ctrl-C goes to the whole foreground group; the children are told by this process instead.
                start_new_session=True,
            )
            output = threading.Thread(target=words.extend, args=(child.stdout,), daemon=True)
            output.start()
            code = _wait(child, request)
            # Where no child was the first, or it died too soon, the listener still waits for it.
            with suppress(ConnectionRefusedError):
                Client(address).close()
            events.join()
        output.join()
    return code, "".join(words)


def _wait(child: subprocess.Popen[str], request: StopRequest) -> int:
    """Wait for the launcher, and pass a request to stop on to it once: it tells the children."""
    told = False
    while True:
        try:
            return child.wait(timeout=0.2)
        except subprocess.TimeoutExpired:
            if request.signal is not None and not told:
                told = True
                child.send_signal(signal.SIGTERM)


def _listen(listener: Listener, hear: Callable[[Message], None]) -> None:
    """Pass on what the one child that connects tells, until it ends."""
    with listener.accept() as connection, suppress(EOFError):
        while True:
            hear(connection.recv())
