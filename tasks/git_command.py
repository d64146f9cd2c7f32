"""Running Git: without prompts, hooks or helpers of the repository, and with errors a person can act on.

All configuration and every secret reach Git through its environment only: an argument would show in the
process list, a configuration file would stay on the disk. A token is given by a credential helper that
is bound to one host, so that a redirect to another host never carries it along (an `http.extraHeader`
would), and other helpers are switched off then, so that none writes it down.
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
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, BinaryIO, Protocol, cast
from urllib.parse import urlsplit

# Without this GitPython cannot even be imported where no git is installed, and a folder needs none.
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")

from git import Git

from tasks.errors import DocsMlmError, NetworkError, UserError
from tasks.git_errors import error_of
from tasks.git_urls import GitAddress
from tasks.settings import SourceSettings

STALL_SECONDS = 120
"""A web transfer that moves no byte for so long has failed."""
SILENCE_SECONDS = 900
"""So has any transfer of which Git reports nothing for so long."""
ANSWER_SECONDS = 60
"""How long a server may take to list its branches."""
LONGEST_LINE = 4096
"""Bytes kept of a line that a server reports."""

_HELPER = (
    '!f() { test "$1" = get && '
    'printf "username=%s\\npassword=%s\\n" "$DOCS_MLM_GIT_USERNAME" "$DOCS_MLM_GIT_PASSWORD"; }; f'
)
# Slips in the objects of honest old repositories, harmless to a reader of blobs.
_TOLERATED = (
    "badDate badDateOverflow badEmail badName badTimezone gitmodulesUrl missingEmail missingNameBeforeEmail"
    " missingSpaceBeforeDate missingSpaceBeforeEmail zeroPaddedDate zeroPaddedFilemode"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GitAccess:
    """How Git may reach one address: the environment of its commands, and the secrets in it."""

    address: GitAddress | None
    """None where only this machine's disk is read."""
    environment: dict[str, str] = field(repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def scrub(self, text: str) -> str:
        """`text` without the secrets, and without characters that move a terminal's cursor."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return "".join(c for c in text if c.isprintable() or c == "\n")


def local_access() -> GitAccess:
    """Access to this machine's disk alone: nothing is ever fetched."""
    return GitAccess(address=None, environment=_environment({}, protocols="none"))


def remote_access(address: GitAddress, settings: SourceSettings) -> GitAccess:
    """Access to `address`, with the token that the URL, a Prefect block or GIT_TOKEN gives.

    Raises:
        UserError: the credentials block does not exist, or the token is no token.
    """
    config = {
        "remote.origin.url": address.url,
        "http.lowSpeedLimit": "1",
        "http.lowSpeedTime": str(STALL_SECONDS),
    }
    extra: dict[str, str] = {}
    host = urlsplit(address.url).hostname or ""
    password = None
    # Over plain http anybody on the way could read it.
    if address.protocol == "https" or (address.protocol == "http" and _is_this_machine(host)):
        password = address.password or _token(settings)
    elif address.password:
        raise UserError(f"a password would travel unencrypted to {address.url}: use https://")
    if password is not None:
        parts = urlsplit(address.url)
        username = address.username or os.environ.get("GIT_USERNAME") or "x-access-token"
        if not (username + password).isprintable():
            # A line feed would add a line of its own to what the helper answers.
            raise UserError(f"the user name or token for {address.url} holds a line feed or the like")
        config["credential.helper"] = ""
        config[f"credential.{parts.scheme}://{parts.netloc}.helper"] = _HELPER
        extra = {"DOCS_MLM_GIT_USERNAME": username, "DOCS_MLM_GIT_PASSWORD": password}
    elif address.username and address.protocol in ("http", "https"):
        config[f"credential.{address.url}.username"] = address.username
    protocols = "file" if address.is_local else "https:http:ssh:git"
    return GitAccess(
        address=address,
        environment=_environment(config, protocols=protocols) | extra,
        secrets=(password,) if password else (),
    )


def _is_this_machine(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")


def _token(settings: SourceSettings) -> str | None:
    token = os.environ.get("GIT_TOKEN", "")
    if settings.credentials_block is not None:
        from prefect.blocks.system import Secret

        try:
            block = cast("Secret[Any]", Secret.load(settings.credentials_block))
        except ValueError as error:
            raise UserError(
                f"there is no Secret block {settings.credentials_block!r}: create it in the Prefect UI, "
                "or set GIT_TOKEN and leave source.credentials_block out"
            ) from error
        token = str(block.get())
    return token.strip() or None


def _environment(config: dict[str, str], *, protocols: str) -> dict[str, str]:
    config = {
        "core.hooksPath": os.devnull,
        "core.fsmonitor": "false",
        "core.attributesFile": os.devnull,
        "protocol.version": "2",
        "gc.auto": "0",
        "maintenance.auto": "false",
        "fetch.fsckObjects": "true",
        "fetch.unpackLimit": "1",
        "fetch.recurseSubmodules": "false",
        "advice.detachedHead": "false",
        **{f"fetch.fsck.{name}": "ignore" for name in _TOLERATED.split()},
        **config,
    }
    # What the user passes in the same way (a proxy, a certificate) stays, ours follows.
    count = os.environ.get("GIT_CONFIG_COUNT", "0")
    first = int(count) if count.isdecimal() else 0
    values = {"GIT_CONFIG_COUNT": str(first + len(config))}
    for index, (name, value) in enumerate(config.items(), start=first):
        values[f"GIT_CONFIG_KEY_{index}"] = name
        values[f"GIT_CONFIG_VALUE_{index}"] = value
    return values | {
        "GIT_ALLOW_PROTOCOL": protocols,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "",
        "SSH_ASKPASS": "",
        "GCM_INTERACTIVE": "never",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": "",
    }


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
        # In a session of its own it has no terminal to ask for a password on, and ends as one group.
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
        place = self.access.address.url if self.access.address else str(self.git_dir)
        return error_of(self.access.scrub(errors), command=command, status=status, place=place)


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
