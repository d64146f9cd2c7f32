"""Faults of the store: what passes is tried again within a set time, the rest becomes one clear error."""

import errno
import logging
import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as BotoConnectionError

from tasks.errors import AwayStoreError, DocsMlmError, MissingStoreError, StoreError
from tasks.machine import is_disk_full
from tasks.store.refusals import code_of, lacks_credentials, said, tls_fault, tls_way_out, way_out

PATIENCE = 120.0
"""Seconds for which one request to the store is tried again before the store counts as away."""

_LOG = logging.getLogger("docs_mlm")
_LONGEST_PAUSE = 5.0
_PASSING_CODES = {"SlowDown", "RequestTimeout", "IncompleteBody", "BadDigest", "XAmzContentSHA256Mismatch"}
_MISSING = (FileNotFoundError, NotADirectoryError, FileExistsError, IsADirectoryError)
_LINE_FAULTS = (
    BotoConnectionError,
    HTTPClientError,
    ConnectionError,
    TimeoutError,
)

T = TypeVar("T")
Errors = tuple[type[Exception], ...]


class Truncated(ConnectionError):
    """Fewer bytes arrived than were asked for."""


def _answer_faults() -> Errors:
    """What S3's client raises about an answer that breaks off, where it is loaded: a folder needs none."""
    if "aiohttp" not in sys.modules:
        return ()
    from aiohttp import ClientPayloadError
    from botocore.parsers import ResponseParserError

    return (ClientPayloadError, ResponseParserError)


def _client_faults() -> Errors:
    """What the stores' clients raise."""
    return (OSError, BotoCoreError, *_answer_faults())


def persist(call: Callable[[], T], *, patience: float) -> T:
    """What `call` returns, tried again while a fault passes, `patience` seconds long.

    The pauses grow from 0.2 to 5 seconds and are drawn at random below that, so that many clients do not
    return together. An attempt that was begun in time is let finish.
    """
    end = time.monotonic() + patience
    ceiling = 0.2
    while True:
        try:
            return call()
        except _client_faults() as error:
            pause = random.uniform(ceiling / 2, ceiling)
            if not is_passing(error) or time.monotonic() + pause > end:
                raise
            if ceiling >= _LONGEST_PAUSE:
                _LOG.warning("The store does not answer (%s): trying again", _kind(error))
            time.sleep(pause)
            ceiling = min(ceiling * 2, _LONGEST_PAUSE)


def is_passing(error: BaseException) -> bool:
    """Whether a later attempt may succeed: the line, a timeout, a server that is busy or ill.

    A certificate that is not trusted will not be so in a minute.
    """
    if tls_fault(error) is not None:
        return False
    if isinstance(error, (*_LINE_FAULTS, *_answer_faults())):
        return True
    cause = error.__cause__
    if not isinstance(cause, ClientError):
        return False
    status = cause.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status >= 500 or status == 429 or cause.response["Error"].get("Code") in _PASSING_CODES


@contextmanager
def explained(url: str, verb: str) -> Iterator[None]:
    """Turn what the clients raise into one clear error about the store at `url`."""
    try:
        yield
    except _client_faults() as error:
        raise explain(error, url, verb) from error


def explain(error: Exception, url: str, verb: str) -> DocsMlmError:
    """The clear error for what a client raised while the store at `url` was being `verb`."""
    if is_disk_full(error):
        place = "on this machine " if verb == "read" else ""
        return StoreError(
            f"no space left {place}while the store {url} was being {verb}: free some, then run again"
        )
    if (why := lacks_credentials(error)) is not None:
        return MissingStoreError(f"no S3 credentials for {url}: {why}")
    if (fault := tls_fault(error)) is not None:
        return MissingStoreError(f"the store {url} cannot be {verb}: {tls_way_out(fault)}")
    if is_passing(error):
        return AwayStoreError(
            f"the store {url} does not answer ({said(error) or _kind(error)}): check the network and "
            "AWS_ENDPOINT_URL, then run again"
        )
    if words := said(error):
        denied = "permission denied, " if isinstance(error, PermissionError) else ""
        way = way_out(error)
        kind = MissingStoreError if way or denied else StoreError
        return kind(f"the store {url} cannot be {verb}: {denied}S3 said {words}{way and f'; {way}'}")
    if isinstance(error, PermissionError):
        return MissingStoreError(
            f"the store {url} cannot be {verb}: permission denied; check the folder's rights"
        )
    if isinstance(error, _MISSING) or (isinstance(error, OSError) and error.errno == errno.EROFS):
        return MissingStoreError(
            f"the store {url} cannot be {verb}: {error.strerror or error}; "
            "create it, or choose another with --store"
        )
    return StoreError(f"the store {url} cannot be {verb}: {error}")


def _kind(error: BaseException) -> str:
    return code_of(error) or type(error).__name__
