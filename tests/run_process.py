"""`docs-mlm run` as a process of its own, on a machine of its own, which a test can watch and kill.

attempt = start_run([settings, "--store", url], machine, PREFECT_API_URL=api_url)
attempt.wait_for("Stored checkpoint")
attempt.kill()
"""

import itertools
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from flows.command.main import QUIET
from tests.prefect_database import put_database
from tests.waiting import until

ROOT = Path(__file__).parents[1]
_NUMBERS = itertools.count(1)


@dataclass(kw_only=True)
class RunProcess:
    """One process, and what it printed."""

    process: subprocess.Popen[bytes]
    log: Path
    out: Path
    began: float = field(default_factory=time.monotonic)

    def text(self) -> str:
        """What it logged up to now."""
        return self.log.read_text(errors="replace")

    def wait_for(self, text: str) -> None:
        """Wait until it has logged `text`.

        Raises:
            AssertionError: it ended before.
        """
        try:
            until(lambda: text in self.text(), goes_on=lambda: self.process.poll() is None)
        except AssertionError as error:
            raise AssertionError(f"{text!r} is not in the log:\n{self.text()}") from error

    def wait(self) -> int:
        """Its exit code."""
        return self.process.wait()

    def interrupt(self, number: int) -> None:
        """Send a signal to the process and all that it started, as a terminal does."""
        os.killpg(self.process.pid, number)

    def kill(self) -> None:
        """Kill the process and all that it started, without a warning."""
        self.interrupt(signal.SIGKILL)
        # Without this it would stay a zombie, and to the next run its lease would look held.
        self.process.wait()


def start_run(arguments: list[str], machine: Path, verb: str = "run", **variables: str) -> RunProcess:
    """Start `docs-mlm run --json` or another verb with `arguments`; `machine` has home and work folder."""
    number = next(_NUMBERS)
    kept = {n: v for n, v in os.environ.items() if not n.startswith(("PREFECT_", "DOCS_MLM_"))}
    (machine / "home").mkdir(parents=True, exist_ok=True)
    environment = kept | QUIET | {
        "HOME": str(machine / "home"),
        "DOCS_MLM_WORK_DIR": str(machine / "work"),
        "PREFECT_HOME": str(machine / "prefect"),
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
    } | variables  # fmt: skip
    if "PREFECT_API_URL" not in variables:
        put_database(machine / "prefect")
    log, out = machine / f"attempt-{number:03}.log", machine / f"attempt-{number:03}.json"
    with log.open("wb") as err, out.open("wb") as stdout:
        process = subprocess.Popen(
            [sys.executable, "-m", "flows.command", verb, "--json", *arguments],
            env=environment, stdout=stdout, stderr=err, cwd=machine, start_new_session=True,
        )  # fmt: skip
    return RunProcess(process=process, log=log, out=out)
