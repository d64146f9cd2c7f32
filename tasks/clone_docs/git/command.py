"""Running Git: its output, its progress and its end, and errors that a person can act on.

Each command runs in a session of its own, without a terminal to ask for a password on, and ends with
whatever started it: nothing of a transfer goes on behind a run that failed or was stopped.
"""

import os
import select
import shutil
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, Protocol, cast

# Without this GitPython cannot even be imported where no git is installed, and a folder needs none.
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")

from git import Git

from tasks.clone_docs.git.access import GitAccess
from tasks.clone_docs.git.errors import TOKEN, error_of
from tasks.errors import DocsMlmError, NetworkError, UserError

SILENCE_SECONDS = 900
"""A transfer of which Git reports nothing for so long has failed."""
ANSWER_SECONDS = 60
"""How long a server may take to list its branches."""
LONGEST_LINE = 4096
"""Bytes kept of a line that a server reports."""


class _Process(Protocol):
    """What is used of a started command, whose pipes are there."""

    pid: int
    stdout: IO[bytes]
    stderr: IO[bytes]

    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class GitRepository:
    """Git commands in one repository, or in none."""

    access: GitAccess
    git_dir: Path | None = None
    objects: Path | None = None
    """Its object folder; `git_dir/objects` unless it is a linked worktree."""

    def run(self, *arguments: str, timeout: float | None = None) -> bytes:
        """The standard output of a short command.

        Raises:
            DocsMlmError: it failed; the class tells whose fault it was.
        """
        status, output, errors = self._git.execute(
            ["git", *arguments],
            with_extended_output=True,
            with_exceptions=False,
            stdout_as_string=False,
            strip_newline_in_stdout=False,
            kill_after_timeout=timeout,
            env=self._environment,
            start_new_session=True,
        )
        if status != 0:
            raise self._error(arguments[0], status, str(errors))
        return bytes(output)

    def transfer(
        self, *arguments: str, on_line: Callable[[str], None], istream: BinaryIO | None = None
    ) -> None:
        """Run a command that fetches, giving each line of its progress to `on_line`.

        Raises:
            DocsMlmError: it failed; the class tells whose fault it was.
        """
        last: deque[str] = deque(maxlen=50)
        with self._started(arguments, istream) as process:
            for line in _lines(process):
                last.append(line)
                on_line(self.access.scrub(line))
            status = process.wait()
        if status != 0:
            raise self._error("fetch", status, "\n".join(last))

    @contextmanager
    def reading(self, *arguments: str, istream: BinaryIO | None = None) -> Iterator[IO[bytes]]:
        """The standard output of a running command, which ends with the block."""
        with self._started(arguments, istream) as process:
            # Over a damaged pack Git complains until the pipe is full, and would then wait for a reader.
            complaints = threading.Thread(target=_drain, args=(process.stderr,), daemon=True)
            complaints.start()
            try:
                yield process.stdout
            finally:
                _end(process)
                complaints.join(timeout=5)

    @contextmanager
    def _started(self, arguments: tuple[str, ...], istream: BinaryIO | None) -> Iterator["_Process"]:
        started = self._git.execute(
            ["git", *arguments],
            istream=istream,
            as_process=True,
            env=self._environment,
            start_new_session=True,
        )
        process = cast(_Process, started.proc)
        try:
            yield process
        finally:
            _end(process)
            process.stdout.close()
            process.stderr.close()

    @property
    def _git(self) -> Git:
        if shutil.which("git") is None:
            raise UserError("Git is not installed: install git 2.30 or newer, or give source.folder")
        Git.GIT_PYTHON_GIT_EXECUTABLE = Git.GIT_PYTHON_GIT_EXECUTABLE or "git"
        return Git("/" if self.git_dir is None else self.git_dir)

    @property
    def _environment(self) -> dict[str, str]:
        if self.git_dir is None:
            return self.access.environment
        objects = self.objects or self.git_dir / "objects"
        # Named, so that the GIT_DIR of a hook that started this program does not count.
        return self.access.environment | {
            "GIT_DIR": str(self.git_dir),
            "GIT_OBJECT_DIRECTORY": str(objects),
        }

    def _error(self, command: str, status: int, errors: str) -> DocsMlmError:
        address = self.access.address
        place = address.url if address else str(self.git_dir)
        token = self.access.withheld or TOKEN
        return error_of(
            self.access.scrub(errors), command=command, status=status, place=place, token=token,
            local=address is None or address.is_local,
        )  # fmt: skip


def _lines(process: _Process) -> Iterator[str]:
    """The lines of a running command's standard error, ended by line feed or carriage return.

    Raises:
        NetworkError: it says nothing for too long.
    """
    number = process.stderr.fileno()
    pending = b""
    last = time.monotonic()
    while True:
        if select.select([number], [], [], 1.0)[0]:
            chunk = os.read(number, 65536)
            if not chunk:
                break
            *whole, pending = (pending + chunk).replace(b"\r", b"\n").split(b"\n")
            pending = pending[-LONGEST_LINE:]
            yield from (line.decode("utf-8", "replace") for line in whole if line.strip())
            last = time.monotonic()
        elif process.poll() is not None:
            # Something that it left in the background still holds the pipe.
            break
        elif time.monotonic() - last > SILENCE_SECONDS:
            raise NetworkError(
                f"the transfer stood still for {SILENCE_SECONDS} s: check the network, then run again"
            )
    if pending.strip():
        yield pending.decode("utf-8", "replace")


def _drain(stream: IO[bytes]) -> None:
    while stream.read(65536):
        pass


def _end(process: "_Process") -> None:
    """See that nothing of a command runs on."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is None:
            os.killpg(process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=5)
