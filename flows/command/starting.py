"""What is slow to start is said before: Prefect, its server, and the libraries that a run needs."""

import argparse
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from flows.command.bars import bars
from tasks.errors import DocsMlmError, NetworkError, UserError, first_line, scrubbed

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient


ASK_AGAIN = 3
"""How often the server is asked again, within 14 seconds, before anything has begun."""


def say(words: str) -> None:
    """Say on standard error what is being started, at once."""
    sys.stderr.write(f"{words}\n")
    sys.stderr.flush()


@contextmanager
def on_prefect(arguments: argparse.Namespace) -> Iterator[None]:
    """Within, flows can be imported and run: Prefect is loaded, and its server is there.

    Raises:
        UserError: Prefect's settings are wrong, or name no server of Prefect.
        NetworkError: the server does not answer.
    """
    load_prefect()
    show_tracebacks(arguments.debug)
    start_server()
    say("Loading the stages ...")
    with bars():
        yield


def load_prefect() -> None:
    """Import Prefect, which reads its settings.

    Raises:
        UserError: one of them is wrong.
    """
    say("Loading Prefect ...")
    from pydantic import ValidationError

    from flows.presets import describe

    try:
        import prefect.main  # noqa: F401
    except ValidationError as error:
        wrong = "; ".join(dict.fromkeys(describe(error).splitlines()))
        raise UserError(f"Prefect's settings (PREFECT_... or its profile) are wrong: {wrong}") from error


def show_tracebacks(wanted: bool) -> None:
    """Let Prefect show tracebacks in the terminal, or not; its server keeps them either way."""
    for handler in logging.getLogger().handlers:
        if wanted:
            handler.removeFilter(_told_by_the_command)
        else:
            handler.addFilter(_told_by_the_command)


def _told_by_the_command(record: logging.LogRecord) -> bool:
    """Drop what a run's end is logged with: the state follows in one line, and then the command's own."""
    return not (record.exc_info and record.name in ("prefect.flow_runs", "prefect.task_runs"))


def start_server() -> None:
    """Find the server that is set, or start Prefect's temporary one, which ends with this process.

    Without its server the run would try for minutes to tell it that it stopped.

    Raises:
        UserError: what is set is no server of Prefect, or too old.
        NetworkError: the server does not answer.
    """
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings

    from flows.command.own_server import OwnServer

    url = PREFECT_API_URL.value()
    say(f"Asking Prefect at {scrubbed(url)} ..." if url else "Starting Prefect's temporary server ...")
    OwnServer()  # from now on what Prefect takes for its temporary server
    client = get_client(sync_client=True)  # starts that server, if no other is set
    if url:
        # Here a person waits for the first word; what a run is worth is not at stake yet.
        few = min(ASK_AGAIN, PREFECT_CLIENT_MAX_RETRIES.value())
        with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: few}), client:
            check_server(client, scrubbed(url))


def ask_server() -> int:
    """Say in one line what is wrong with the server at PREFECT_API_URL; the exit code, 0 if nothing is."""
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL

    try:
        if not (url := PREFECT_API_URL.value()):
            raise UserError("PREFECT_API_URL is not set: say where the Prefect server is")
        with get_client(sync_client=True) as client:
            check_server(client, scrubbed(url))
    except DocsMlmError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    return 0


def check_server(client: "SyncPrefectClient", url: str) -> None:
    """Ask the server for its version, which the first thing that a run does asks too, in other words.

    Raises:
        UserError: it is no server of Prefect, too old, or one that wants a password.
        NetworkError: it does not answer.
    """
    from httpx import HTTPError, HTTPStatusError, InvalidURL, UnsupportedProtocol

    from tasks.stage.server import check_version, tells_version

    if not tells_version(client):
        return
    wrong = f"PREFECT_API_URL is {url}, where no server of Prefect answers"
    try:
        check_version(client.api_version(), url)
    except HTTPStatusError as error:
        status = error.response.status_code
        if status in (401, 403):
            raise UserError(
                f"the Prefect server at {url} refuses ({status}): set PREFECT_API_AUTH_STRING or "
                "PREFECT_API_KEY"
            ) from error
        if status >= 500 or status in (408, 429):
            raise NetworkError(f"the Prefect server at {url} fails ({status}): try again later") from error
        raise UserError(f"{wrong} ({status}): its address ends in /api") from error
    except (UnsupportedProtocol, InvalidURL) as error:
        raise UserError(f"{wrong}: it is like http://host:4200/api ({first_line(error)})") from error
    except HTTPError as error:
        raise NetworkError(
            f"the Prefect server at {url} does not answer ({first_line(error)}): start it, or unset "
            "PREFECT_API_URL for a temporary one"
        ) from error
    except ValueError as error:  # a page instead of JSON
        raise UserError(f"{wrong}: its address ends in /api") from error


if __name__ == "__main__":
    raise SystemExit(ask_server())
