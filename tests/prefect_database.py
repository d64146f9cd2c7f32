"""Prefect's database as its server begins with it, made once: setting one up takes a server seconds."""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

CACHE = Path(__file__).parents[1] / ".pytest_cache"
NAME = "prefect.db"
"""What a server calls its database in its home."""


def put_database(home: Path) -> None:
    """Give a Prefect home that has no database the one that its server would make."""
    if (home / NAME).exists():
        return
    home.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(_made(), home / NAME)


def _made() -> Path:
    CACHE.mkdir(exist_ok=True)
    made = CACHE / f"prefect-{version('prefect')}.db"
    with (CACHE / "prefect.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            with tempfile.TemporaryDirectory() as home:
                command = [sys.executable, "-m", "prefect", "server", "database", "upgrade", "-y"]
                environment = {n: v for n, v in os.environ.items() if not n.startswith("PREFECT_")}
                subprocess.run(
                    command, env=environment | {"PREFECT_HOME": home}, check=True, capture_output=True
                )
                shutil.move(Path(home) / NAME, made)
    return made
