"""Secrets are looked for before anything else: a run that lacks one ends at once and touched nothing."""

from botocore.exceptions import BotoCoreError, NoCredentialsError

from tasks.settings import SourceSettings
from tasks.sources.git_access import remote_access
from tasks.sources.git_urls import parse_address
from tasks.store import explain


def check_secrets(source: SourceSettings, store: str) -> None:
    """See that the secrets that a run needs are there; asks neither the Git server nor the store.

    Raises:
        UserError: the credentials block or the keys of S3 are missing; it names them.
    """
    if source.url is not None:
        remote_access(parse_address(source.url), source)
    check_store_keys(store)


def check_store_keys(store: str) -> None:
    """See that there are keys for a store on S3, wherever AWS's clients look for them.

    Raises:
        UserError: there are none, or only a part.
    """
    if not store.startswith("s3://"):
        return
    # Only here, because it takes half a second to import.
    from botocore.session import Session

    try:
        if Session().get_credentials() is None:
            raise NoCredentialsError
    except BotoCoreError as error:
        raise explain(error, store, "reached") from error
