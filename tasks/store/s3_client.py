"""Requests to S3 through s3fs, which signs, connects and runs the event loop.

Endpoint, keys and region come from the environment (AWS_*), as for any client. What is needed of s3fs,
aiobotocore and botocore beyond the plain call is here alone, and `test_s3_client.py` says what it relies on.
"""

import functools
import os
import socket
from typing import Any

import s3fs
from aiobotocore.session import AioSession
from botocore.exceptions import ClientError

CONNECTIONS = 32
"""Kept open at once: twice as many as files and parts are on their way."""
_STALL = 30
"""Seconds without a byte after which a connection counts as dead."""


def request(method: str, **arguments: Any) -> Any:
    """The answer to one request, asked once; a refusal is an OSError with S3's own error as its cause."""
    return _client().call_s3(method, **arguments)


def read(name: str, start: int | None = None, end: int | None = None) -> bytes:
    """The bytes [start, end) of `bucket/key`, or all of them, asked for once."""
    content: bytes = _client().cat_file(name, start=start, end=end, max_concurrency=1)
    return content


def code_of(error: BaseException) -> str:
    """What S3 calls the reason of a refusal (`NoSuchBucket`); empty where it was no refusal."""
    cause = error.__cause__
    return str(cause.response["Error"].get("Code")) if isinstance(cause, ClientError) else ""


def _client() -> s3fs.S3FileSystem:
    """The client for this process and the credentials that are in the environment now."""
    return _made_client(os.getpid(), tuple(sorted(i for i in os.environ.items() if i[0].startswith("AWS_"))))


@functools.lru_cache(maxsize=8)
def _made_client(_process: int, _environment: tuple[tuple[str, str], ...]) -> s3fs.S3FileSystem:
    session = AioSession()
    session.register("before-send.s3", _expect_nothing)
    client = s3fs.S3FileSystem(
        session=session,
        skip_instance_cache=True,
        config_kwargs={
            "connect_timeout": 10,
            "read_timeout": _STALL,
            "max_pool_connections": CONNECTIONS,
            "retries": {"total_max_attempts": 1},  # `persist` tries again
            # Some servers answer a range with the checksum of the whole; what is read is hashed here anyway.
            "response_checksum_validation": "when_required",
            "connector_args": {"socket_factory": _socket},
        },
    )
    client.retries = 1
    return client


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
