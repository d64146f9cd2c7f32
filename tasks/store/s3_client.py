"""Requests to S3 through s3fs, which signs, connects and runs the event loop.

Endpoint, keys and region come from the environment (AWS_*), as for any client. What is needed of s3fs,
aiobotocore and botocore beyond the plain call is here alone, and `test_s3_client.py` says what it relies on.
"""

import functools
import os
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Any

import s3fs
from aiobotocore.session import AioSession

from tasks.errors import MissingStoreError
from tasks.store.refusals import EXPIRED, code_of, no_program

CONNECTIONS = 32
"""Kept open at once: twice as many as files and parts are on their way."""
SUMS = "when_required"
"""When a request carries a checksum of its own, and an answer's is looked at. botocore's default is "where it
can": then over TLS an upload has no length in its head, which servers other than Amazon's refuse, and some
servers answer a range with the checksum of the whole. What is stored is hashed here anyway."""
_SUMMED = ("request_checksum_calculation", "response_checksum_validation")
_STALL = 30
"""Seconds without a byte after which a connection counts as dead."""
_RENEWING = threading.Lock()
_renewals = 0
"""How often credentials have been read anew."""


def request(method: str, **arguments: Any) -> Any:
    """The answer to one request, asked once; a refusal is an OSError with S3's own error as its cause.

    Raises:
        MissingStoreError: the endpoint, the credentials or the certificates that are set cannot be used.
    """
    return _asked(lambda client: client.call_s3(method, **arguments))


def read(name: str, start: int | None = None, end: int | None = None) -> bytes:
    """The bytes [start, end) of `bucket/key`, or all of them, asked for once.

    Raises:
        MissingStoreError: the endpoint, the credentials or the certificates that are set cannot be used.
    """
    content: bytes = _asked(lambda client: client.cat_file(name, start=start, end=end, max_concurrency=1))
    return content


def endpoint() -> str:
    """The URL that requests go to, wherever it was set."""
    return str(_client().connect().meta.endpoint_url)


def _asked(ask: Callable[[s3fs.S3FileSystem], Any]) -> Any:
    """What `ask` answers; asked once more with credentials read anew where those at hand have expired."""
    client = _client()
    try:
        return ask(client)
    except FileNotFoundError as error:
        if code_of(error):
            raise
        # Not S3's: the program that a profile names for its credentials is not there.
        raise no_program(error) from error
    except ValueError as error:
        if "Invalid endpoint" not in str(error):
            raise
        raise MissingStoreError(
            "the S3 endpoint is no URL: write AWS_ENDPOINT_URL with its scheme, as https://host or "
            "http://host:9000"
        ) from error
    except OSError as error:
        if code_of(error) not in EXPIRED:
            raise
    return ask(_renewed(client))


def _client() -> s3fs.S3FileSystem:
    """The client for this process and the credentials that are in the environment now."""
    environment = tuple(sorted(item for item in os.environ.items() if item[0].startswith("AWS_")))
    return _made_client(os.getpid(), environment, _renewals)


def _renewed(expired: s3fs.S3FileSystem) -> s3fs.S3FileSystem:
    """A client with credentials read anew, for all threads that meet the end of the old ones."""
    global _renewals
    with _RENEWING:
        if _client() is expired:
            _renewals += 1
        return _client()


@functools.lru_cache(maxsize=8)
def _made_client(
    _process: int, _environment: tuple[tuple[str, str], ...], _renewal: int
) -> s3fs.S3FileSystem:
    # Other defaults than botocore's, for what the user has not set in the environment or a profile.
    session = AioSession(session_vars={name: (name, f"AWS_{name.upper()}", SUMS, None) for name in _SUMMED})
    session.register("before-send.s3", _expect_nothing)
    _check_bundle(session.get_config_variable("ca_bundle"))
    client = s3fs.S3FileSystem(
        session=session,
        skip_instance_cache=True,
        config_kwargs={
            "connect_timeout": 10,
            "read_timeout": _STALL,
            "max_pool_connections": CONNECTIONS,
            "retries": {"total_max_attempts": 1},  # `persist` tries again
            "connector_args": {"socket_factory": _socket},
        },
    )
    client.retries = 1
    return client


def _check_bundle(path: str | None) -> None:
    """See that the file of trusted certificates is one; the client would call it a fault of the line."""
    if path is None:
        return
    try:
        ssl.create_default_context(cafile=path)
    except OSError as error:
        raise MissingStoreError(
            f"AWS_CA_BUNDLE names {path!r}, which holds no certificates ({error.strerror or error}): give a "
            "file in PEM form, or unset it"
        ) from error


def _expect_nothing(request: Any, **_: Any) -> None:
    # With this header the client waits for the server's "continue", and it does so without a time limit.
    if "Expect" in request.headers:
        del request.headers["Expect"]


def _socket(address: Any) -> socket.socket:
    """A socket that fails when the other side takes nothing for a while; the client times reads only."""
    made = socket.socket(family=address[0], type=address[1], proto=address[2])
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _STALL * 1000)
    return made
