"""One Prefect server for all tests that need one, and an environment that asks nobody anything."""

import atexit
import os
import shutil
import signal
import tempfile
from typing import Any

import pytest

from flows.command.main import QUIET

os.environ.update({name: os.environ.get(name, value) for name, value in QUIET.items()})
# A night's patience with the network is tested by name; every other test would only wait.
os.environ.setdefault("DOCS_MLM_RETRY_WAITS", "0.1, 0.1, 0.1, 0.1, 0.1")
# What a machine remembers of itself is kept where the tests end, not in the user's cache.
if "XDG_CACHE_HOME" not in os.environ:
    os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="docs-mlm-cache-")
    atexit.register(shutil.rmtree, os.environ["XDG_CACHE_HOME"], ignore_errors=True)
IDLE_SERVICES = (
    "SCHEDULER", "LATE_RUNS", "FOREMAN", "PAUSE_EXPIRATIONS", "CANCELLATION_CLEANUP", "TRIGGERS",
    "REPOSSESSOR",
)  # fmt: skip
"""What a server does for deployments, of which this one has none, and what keeps it busy all the time."""
# What a shell starts in the background ignores Ctrl-C, and so would every process that a test interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """A file's tests go to one process; those of the deployments together, for they share a server."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.split("::")[0]
            folder, _, name = file.rpartition("/")
            return folder if folder == "tests/deployments" and name != "test_postgres.py" else file

    return ByFile(config, log)


@pytest.fixture(scope="session")
def prefect_server():
    """A Prefect server of the tests' own, started once."""
    # Sets up the log, which must not be written to what a single test captures.
    import prefect.main  # noqa: F401
    from prefect.testing.utilities import prefect_test_harness

    with pytest.MonkeyPatch.context() as patch:
        for service in IDLE_SERVICES:
            patch.setenv(f"PREFECT_SERVER_SERVICES_{service}_ENABLED", "false")
        with prefect_test_harness(server_startup_timeout=300):
            yield
