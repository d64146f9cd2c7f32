"""Keys for a store on S3 are looked for before anything else: see `flows/parameters.py`."""

from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, NoCredentialsError

from tasks.store.faults import explain, is_passing
from tasks.store.refusals import no_program
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
        found = hasty_session().get_credentials()
        if found is None:
            raise NoCredentialsError
        found.get_frozen_credentials()  # of a login they are had only here
    except BotoCoreError as error:
        if is_passing(error):  # the line to whoever hands them out: no reason to say that there are none
            return store
        raise explain(error, store, "reached") from error
    except OSError as error:  # the program that a profile names for its credentials
        raise no_program(error) from error
    return store


def hasty_session() -> "Session":
    """A session of botocore's that waits for a machine's role less long."""
    # Only here, because it takes half a second to import.
    from botocore.session import Session

    setting = "metadata_service_timeout"
    # As botocore's own, but for the default and for parts of a second.
    return Session(session_vars={setting: (setting, "AWS_METADATA_SERVICE_TIMEOUT", MACHINE_SECONDS, float)})
