"""One Prefect server for all tests that need one, and an environment that asks nobody anything."""

import atexit
import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest

from flows.command.main import QUIET

ROOT = Path(__file__).parent

os.environ.update({name: os.environ.get(name, value) for name, value in QUIET.items()})
# A night's patience with the network is tested by name; every other test would only wait.
os.environ.setdefault("DOCS_MLM_RETRY_WAITS", "0.1, 0.1, 0.1, 0.1, 0.1")
# What a machine remembers of itself is kept where the tests end, not in the user's cache.
if "XDG_CACHE_HOME" not in os.environ:
    os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="docs-mlm-cache-")
    atexit.register(shutil.rmtree, os.environ["XDG_CACHE_HOME"], ignore_errors=True)
# What a shell starts in the background ignores Ctrl-C, and so would every process that a test interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)  # before xdist looks at the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A file's tests go to one process, unless the file names a group that shares one."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.path.relative_to(ROOT).as_posix()))


@pytest.fixture(scope="session")
def prefect_server():
    """A Prefect server of the tests' own, started once."""
    # Sets up the log, which must not be written to what a single test captures.
    import prefect.main  # noqa: F401
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=90):
        yield
