"""One Prefect server for all tests that need one, and an environment that asks nobody anything."""

import os
import signal
import tempfile

import pytest

from flows.command.main import QUIET

os.environ.update({name: os.environ.get(name, value) for name, value in QUIET.items()})
# A night's patience with the network is tested by name; every other test would only wait.
os.environ.setdefault("DOCS_MLM_RETRY_WAITS", "0.1, 0.1, 0.1, 0.1, 0.1")
# What a machine remembers of itself is kept where the tests end, not in the user's cache.
os.environ.setdefault("XDG_CACHE_HOME", tempfile.mkdtemp(prefix="docs-mlm-cache-"))
# What a shell starts in the background ignores Ctrl-C, and so would every process that a test interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def prefect_server():
    """A Prefect server of the tests' own, started once."""
    # Sets up the log, which must not be written to what a single test captures.
    import prefect.main  # noqa: F401
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=90):
        yield
