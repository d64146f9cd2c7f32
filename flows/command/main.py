"""The command `docs-mlm`: its process, and its exit codes."""

import argparse
import logging
import os
import sys
import traceback
from typing import NoReturn

from flows.command.faults import unforeseen
from flows.command.parser import parse
from flows.command.stopping import exit_code_of, stoppable
from tasks.errors import DocsMlmError
from tasks.machine import collect_seldom

QUIET = {
    # Prefect: no telemetry, and time for its temporary server to start on a busy machine.
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "90",
    # A server is away for minutes while it restarts, or says 503 while others hold its SQLite file. The waits
    # double from 2 seconds on: these are 4 minutes, and up to a minute more for each locked request.
    "PREFECT_CLIENT_MAX_RETRIES": "7",
    # The warnings of these libraries belong into the run's log.
    "PREFECT_LOGGING_EXTRA_LOGGERS": "transformers,datasets",
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "true",
}


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command and end with its exit code.

    That is 0, 2 for a user's mistake, 3 for the network, 130 after Ctrl-C, 143 after SIGTERM, else 1.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    collect_seldom()
    raise SystemExit(exit_code(sys.argv[1:] if arguments is None else arguments))


def exit_code(arguments: list[str]) -> int:
    """Do what was asked for; how that ended, as a shell wants to know it."""
    log, handler = logging.getLogger("docs_mlm"), logging.StreamHandler(sys.stderr)
    log.addHandler(handler)
    log.propagate = False  # Prefect's own handler would show everything once more
    parsed = None
    try:
        with stoppable():
            parsed = parse(arguments)
            log.setLevel(logging.DEBUG if parsed.debug else logging.NOTSET)
            parsed.run(parsed)
    except KeyboardInterrupt as stop:
        sys.stderr.write("stopped; run the same command again to go on from the newest checkpoint\n")
        return exit_code_of(stop)
    # Whatever was not foreseen comes from a library: of all that one can raise a person gets one line.
    except Exception as error:  # noqa: BLE001
        return told(error, parsed, debug="--debug" in arguments)
    finally:
        log.removeHandler(handler)
        log.setLevel(logging.NOTSET)
        log.propagate = True
    return 0


def told(error: Exception, parsed: argparse.Namespace | None, *, debug: bool) -> int:
    """Say what ended the command; its exit code."""
    if debug:
        traceback.print_exception(error)
    if isinstance(error, DocsMlmError):
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    return unforeseen(error, parsed)
