"""What nobody foresaw: one line for the person, the whole of it in a file, and the nearest exit code."""

import argparse
import errno
import os
import platform
import re
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

from flows.command.places import WORK_DIR
from tasks.errors import DocsMlmError, NetworkError, first_line, scrubbed

LINE_FAULTS = (
    ("socket", "gaierror"),
    ("ssl", "SSLError"),
    ("httpx", "HTTPError"),
    ("httpx2", "HTTPError"),
    ("aiohttp", "ClientError"),
    ("botocore.exceptions", "ConnectionError"),
    ("botocore.exceptions", "HTTPClientError"),
)
"""What modules raise when a host cannot be reached; one that is not imported raised nothing."""
_UNREACHABLE = {errno.ENETDOWN, errno.ENETUNREACH, errno.EHOSTDOWN, errno.EHOSTUNREACH}
_LONGEST = 300
"""Characters of a library's message that are shown."""
_SECRET_NAME = re.compile(r"(TOKEN|SECRET|PASSWORD|PASSPHRASE|KEY|AUTH_STRING)$")


def unforeseen(error: Exception, parsed: argparse.Namespace | None) -> int:
    """Say in one line what happened and where the rest is; the exit code."""
    network = is_line_fault(error)
    said = without_secrets(first_line(error))[:_LONGEST]
    kind = type(error).__name__
    what = kind if said == kind else f"{kind}: {said}"
    file = kept(error, work_folders(parsed))
    where = f"; all of it is in {file}" if file else "; with --debug all of it is shown"
    sys.stderr.write(f"error: {'a host did not answer' if network else 'unforeseen'}: {what}{where}\n")
    return NetworkError.exit_code if network else DocsMlmError.exit_code


def is_line_fault(error: BaseException) -> bool:
    """Whether an error, or what it was raised from, says that a host did not answer."""
    return any(_broken(one) for one in chain(error))


def chain(error: BaseException) -> Iterator[BaseException]:
    """An error, the parts of a group, and what each was raised from."""
    seen: set[int] = set()
    ahead = [error]
    while ahead:
        one = ahead.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        ahead += [one.__cause__] if one.__cause__ else []
        ahead += one.exceptions if isinstance(one, BaseExceptionGroup) else []


def _broken(error: BaseException) -> bool:
    if isinstance(error, BrokenPipeError):
        return False  # whoever read what is printed has gone
    if isinstance(error, (ConnectionError, TimeoutError, NetworkError)):
        return True
    if isinstance(error, OSError) and error.errno in _UNREACHABLE:
        return True
    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(status, int) and 400 <= status < 500 and status not in (408, 429):
        return False  # it did answer, and will not answer otherwise
    loaded = ((sys.modules.get(module), name) for module, name in LINE_FAULTS)
    return any(isinstance(error, getattr(module, name)) for module, name in loaded if module)


def kept(error: BaseException, folders: list[Path]) -> Path | None:
    """A new file, for its owner alone, with the whole error; None where no folder takes one."""
    whole = "".join(traceback.format_exception(error))
    text = f"docs-mlm {own_version()}, Python {platform.python_version()}, {platform.platform()}\n\n{whole}"
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            begins = time.strftime("docs-mlm-error-%Y%m%d-%H%M%S-")
            number, name = tempfile.mkstemp(prefix=begins, suffix=".log", dir=folder)
            with os.fdopen(number, "w", encoding="utf-8", errors="backslashreplace") as file:
                file.write(without_secrets(text))
        except OSError:
            continue
        return Path(name)
    return None


def work_folders(parsed: argparse.Namespace | None) -> list[Path]:
    """Where the file may go: the work folder, as far as it is known, or else the system's own."""
    flag = getattr(parsed, "work_dir", None)
    chosen = Path(flag or os.environ.get("DOCS_MLM_WORK_DIR") or WORK_DIR)
    try:
        return [chosen.expanduser().absolute(), Path(tempfile.gettempdir())]
    except (OSError, RuntimeError):  # no home, no current folder, or nowhere to write
        return [Path(os.sep) / "tmp"]


def without_secrets(text: str) -> str:
    """The text without the credentials in its URLs, and without what the environment calls a secret."""
    return scrubbed(
        text,
        tuple(value for name, value in os.environ.items() if _SECRET_NAME.search(name) and len(value) >= 6),
    )


def own_version() -> str:
    """The installed version of docs-mlm."""
    from importlib.metadata import PackageNotFoundError, version  # help and most calls need none

    try:
        return version("docs-mlm")
    except PackageNotFoundError:
        return "(not installed)"
