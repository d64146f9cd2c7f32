"""The errors that docs-mlm raises on purpose, and the exit code that each becomes.

Every message names the value, the limit and the way out, because it is all that the user sees.
"""


class DocsMlmError(Exception):
    """Base of every error whose message is meant for the user, without a traceback."""

    exit_code = 1


class UserError(DocsMlmError):
    """The user asked for something that cannot be: a setting, a path, a URL. Never retried."""

    exit_code = 2


class NetworkError(DocsMlmError):
    """A host did not answer, or the line broke. Retried, then reported."""

    exit_code = 3


class StoreError(DocsMlmError):
    """The store cannot be read or written, or holds something other than its manifests say."""


class IntegrityError(StoreError):
    """Bytes in the store differ from what their manifest vouches for."""


class AwayStoreError(StoreError, NetworkError):
    """The store did not answer for all the time that is set: it has been tried often enough."""

    exit_code = 3


class MissingStoreError(StoreError, UserError):
    """The store, its bucket or its credentials are not there: the user must act."""

    exit_code = 2


def first_line(error: BaseException) -> str:
    """The first line of what an error of a library says, or its kind where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
