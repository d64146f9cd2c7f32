"""Keys for a store on S3 are looked for before anything else: see `flows/parameters.py`."""

from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, NoCredentialsError

from tasks.store.faults import explain
from tasks.store.urls import parse_store

if TYPE_CHECKING:
    from botocore.session import Session

MACHINE_SECONDS = 0.5
"""How long each of two questions to a cloud's metadata service may take, instead of botocore's second: it
answers in milliseconds, and on other machines nobody does. What the user has set instead is kept."""


def check_store_keys(store: str) -> str:
    """See that there are keys for a store on S3, wherever AWS's clients look for them.

    Raises:
        UserError: there are none, or only a part; or `store` is no store's URL.
    """
    if parse_store(store)[0] != "s3":
        return store
    try:
        if hasty_session().get_credentials() is None:
            raise NoCredentialsError
    except BotoCoreError as error:
        raise explain(error, store, "reached") from error
    return store


def hasty_session() -> "Session":
    """A session of botocore's that waits for a machine's role less long."""
    # Only here, because it takes half a second to import.
    from botocore.session import Session

    setting = "metadata_service_timeout"
    # As botocore's own, but for the default and for parts of a second.
    return Session(session_vars={setting: (setting, "AWS_METADATA_SERVICE_TIMEOUT", MACHINE_SECONDS, float)})
