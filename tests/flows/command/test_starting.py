"""Prefect's temporary server starts while the command loads what it needs, and is the one that is used."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

WAITS_FOR_IT = """
import subprocess, sys, urllib.request
from flows.command.own_server import OwnServer
from flows.command.starting import begin_server, wait_for_server

launched = []
launch = OwnServer._launched

def counted(self):
    failing = [sys.executable, "-c", "raise SystemExit(3)"]
    first = len(launched) < {failing}
    launched.append(subprocess.Popen(failing) if first else launch(self))
    return launched[-1]

OwnServer._launched = counted
assert begin_server()
assert len(launched) == 1
wait_for_server()
assert len(launched) == 1 + {failing}
server = OwnServer()
assert server.server_process is launched[-1]
print(urllib.request.urlopen(server.api_url + "/health").read().decode())
"""
"""Begins the server, whose first processes find their port taken meanwhile, and waits for it."""


@pytest.mark.parametrize("failing", [0, 1])
def test_the_server_that_was_begun_is_the_one_that_is_used(tmp_path: Path, failing: int) -> None:
    """Prefect waits for the process that was started before it asked; one that finds its port taken is
    replaced by another."""
    unset = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    home = {"PREFECT_HOME": str(tmp_path), "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "600"}
    done = subprocess.run(
        [sys.executable, "-c", WAITS_FOR_IT.format(failing=failing)],
        env=unset | home,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "true" in done.stdout
