"""Prefect's temporary server as a run of the command needs it: it ends when its run does, and by no signal.

A terminal and what ends services signal a whole process group. Without its server the run that saves a
checkpoint could not say how it ended, and would try for minutes. So the server hears neither Ctrl-C nor
SIGTERM; it ends when the pipe is closed that it reads from, be it by the run or by the run's own end.
"""

import fcntl
import logging
import os
import signal
import socket
import subprocess
import sys
import threading

import uvicorn
from prefect.server.api.server import SubprocessASGIServer
from prefect.settings import PREFECT_HOME, get_current_settings

from tasks.machine import starting_deaf

STOP_SECONDS = 5
"""How long the server may take to write down what it was told last."""
LOCK = "docs-mlm-server-starts.lock"
STARTUP_FAILURE = 3
"""The exit code by which Prefect knows that a port was taken meanwhile, and tries another."""


class OwnServer(SubprocessASGIServer):
    """The server that Prefect takes where no other is set, once this is made; it starts and stops it."""

    def _run_uvicorn_command(self) -> subprocess.Popen[bytes]:
        environment = {
            **os.environ,
            "PREFECT_UI_ENABLED": "0",
            "PREFECT__SERVER_EPHEMERAL": "1",
            "PREFECT__SERVER_FINAL": "1",
            **get_current_settings().to_environment_variables(exclude_unset=True),
        }
        command = [sys.executable, "-m", "flows.command.own_server", str(self.port)]
        with starting_deaf(signal.SIGINT, signal.SIGTERM):
            return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE)

    def stop(self) -> None:
        """Let the server end, and see that it has."""
        if self.server_process is not None and self.server_process.stdin is not None:
            self.server_process.stdin.close()
            try:
                self.server_process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.server_process.kill()
        super().stop()


class AloneAtFirst(uvicorn.Server):
    """A server that brings the database up to date while no other one does.

    All temporary servers of a user share one SQLite file. Two that make its tables at once fail each other.
    """

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, one server of this home after the other; the lock goes with the process at the latest."""
        PREFECT_HOME.value().mkdir(parents=True, exist_ok=True)
        with (PREFECT_HOME.value() / LOCK).open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            await super().startup(sockets)


def serve(port: int) -> int:
    """Be the server until standard input is closed; its exit code."""
    server = AloneAtFirst(
        uvicorn.Config(
            "prefect.server.api.server:create_app",
            factory=True,
            host="127.0.0.1",
            port=port,
            log_level="error",
            lifespan="on",
        )
    )

    if "PREFECT_SERVER_LOGGING_LEVEL" not in os.environ:
        # What it cannot do at once it tries again; of that, and of its end, a terminal would show tracebacks.
        logging.disable(logging.ERROR)

    def end_with_parent() -> None:
        os.read(sys.stdin.fileno(), 1)
        server.should_exit = True

    threading.Thread(target=end_with_parent, daemon=True).start()
    server.run()
    return 0 if server.started else STARTUP_FAILURE


if __name__ == "__main__":
    raise SystemExit(serve(int(sys.argv[1])))
