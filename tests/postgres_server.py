"""A real PostgreSQL server on loopback for tests, in a folder of its own, as a user that is not root."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

USER = "postgres"


def postgres_bin() -> Path | None:
    """Where the newest installed PostgreSQL keeps its programs, or None."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


@contextmanager
def postgres_server() -> Iterator[str]:
    """Start PostgreSQL in a folder of its own, and stop it at the end; its URL for SQLAlchemy."""
    programs = postgres_bin()
    if programs is None:
        raise RuntimeError("PostgreSQL is not installed")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    # Not under pytest's folder, which is closed to all other users.
    data = Path(tempfile.mkdtemp(prefix="docs-mlm-postgres-"))
    as_user: list[str] = []
    if os.geteuid() == 0:
        # PostgreSQL refuses to run as root; its package made a user for it.
        account = pwd.getpwnam(USER)
        os.chown(data, account.pw_uid, account.pw_gid)
        as_user = ["runuser", "-u", USER, "--"]

    def run(program: str, *arguments: str) -> None:
        done = subprocess.run(
            [*as_user, str(programs / program), *arguments], cwd=data, capture_output=True, text=True
        )
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stdout[-2000:]}{done.stderr[-2000:]}")

    run("initdb", "-D", str(data), "-U", "prefect", "--auth=trust", "--no-sync", "-E", "UTF8")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
    run("pg_ctl", "-D", str(data), "-w", "-l", str(data / "log"), "-o", options, "start")
    try:
        yield f"postgresql+asyncpg://prefect@127.0.0.1:{port}/postgres"
    finally:
        run("pg_ctl", "-D", str(data), "-w", "-m", "immediate", "stop")
        shutil.rmtree(data, ignore_errors=True)
