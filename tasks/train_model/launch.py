"""Several processes train as one: started by torch's launcher, heard through a socket, stopped gently.

The parent keeps the store and the log; the first child tells it what happens, in JSON. Nothing
of the parent's is inherited: children are started afresh, since the store's client survives no fork.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Client, Listener
from pathlib import Path
from typing import Any

import torch

from tasks.errors import DocsMlmError, UserError
from tasks.stage import stage_logger
from tasks.train_model.engine import Keeper, store_in_time, train
from tasks.train_model.hardware import usable_cores
from tasks.train_model.interrupt import StopRequest, delayed_stop
from tasks.train_model.job import Outcome, TrainJob

PARENT, EVENTS = "DOCS_MLM_PARENT", "DOCS_MLM_EVENTS"
"""Environment of the children: the parent's process, and the socket on which it hears the first of them."""


def train_everywhere(
    job: TrainJob, *, keeper: Keeper, on_progress: Callable[[dict[str, Any]], None] | None = None
) -> Outcome | None:
    """Train on all the processes that the settings ask for; None on a machine that is not the first.

    Raises:
        UserError: as `train`; or more processes than GPUs.
        DocsMlmError: a process died.
    """
    gpus, settings = torch.cuda.device_count(), job.settings
    processes = settings.processes or max(gpus, 1)
    if gpus and processes > gpus:
        raise UserError(
            f"train.processes is {processes}, but this machine has {gpus} GPUs: choose {gpus} or less, or 0"
        )
    if processes == 1 and settings.nodes == 1:
        return train(job, keeper=keeper, on_progress=on_progress)
    description = job.checkpoints / "job.json"
    description.write_text(job.dump(), encoding="utf-8")
    request, log = StopRequest(), stage_logger()

    def hear(event: dict[str, Any]) -> None:
        if "checkpoint" in event:
            keeper.submit(Path(event["checkpoint"]), event["step"])
        elif "message" in event:
            log.log(event["level"], "%s", event["message"])
        elif on_progress is not None:
            on_progress(event)

    with delayed_stop(request):
        code, said = _run(command(job, processes, description), environment(processes), request, hear)
        if request.signal is not None:
            store_in_time(keeper)
    failure = job.output / "failure.txt"
    if failure.is_file():
        raise UserError(failure.read_text(encoding="utf-8"))
    if code != 0:
        raise DocsMlmError(f"training on {processes} processes failed with exit code {code}:\n{said}")
    outcome = job.output / "outcome.json"
    if not outcome.is_file():
        return None
    text = outcome.read_text(encoding="utf-8")
    outcome.unlink()
    return Outcome.load(text)


def command(job: TrainJob, processes: int, description: Path) -> list[str]:
    """The launcher's command line."""
    endpoint = job.settings.rdzv_endpoint or "localhost:0"
    return [
        *(sys.executable, "-m", "torch.distributed.run"),
        *("--nnodes", str(job.settings.nodes), "--nproc-per-node", str(processes)),
        *("--rdzv-backend", "c10d", "--rdzv-endpoint", endpoint, "--rdzv-id", job.checkpoints.name),
        *("--max-restarts", "0", "-m", "tasks.train_model.worker", str(description)),
    ]


def environment(processes: int) -> dict[str, str]:
    """The children's environment: this package to import, and their share of the cores.

    Without a say, torch's launcher would give each of several processes a single thread.
    """
    package = str(Path(__file__).parents[2])
    paths = os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH"))))
    threads = os.environ.get("OMP_NUM_THREADS") or str(max(1, usable_cores() // processes))
    return os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": threads, PARENT: str(os.getpid())}


def _run(
    arguments: list[str],
    inherited: dict[str, str],
    request: StopRequest,
    hear: Callable[[dict[str, Any]], None],
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


def _listen(listener: Listener, hear: Callable[[dict[str, Any]], None]) -> None:
    """Pass on what the one child that connects tells, until it ends."""
    with listener.accept() as connection, suppress(EOFError):
        while True:
            hear(json.loads(connection.recv_bytes()))
