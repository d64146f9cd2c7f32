"""Secrets are looked for before anything else: a run that lacks one ends at once and touched nothing."""

from typing import Any

from botocore.exceptions import BotoCoreError, NoCredentialsError

from tasks.settings import SourceSettings
from tasks.sources.git_access import remote_access
from tasks.sources.git_urls import parse_address
from tasks.store import explain

MACHINE_SECONDS = 0.5
"""How long a cloud's machine may take to answer whether it has a role: it takes milliseconds, and elsewhere
nothing answers at all, for which botocore would wait a second."""


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

    session = Session()
    session.get_component("credential_provider").remove("iam-role")
    try:
        if session.get_credentials() is None and not machine_has_role(session):
            raise NoCredentialsError
    except BotoCoreError as error:
        raise explain(error, store, "reached") from error


def machine_has_role(session: Any) -> bool:
    """Whether this machine is one of a cloud that tells its role's keys: asked as botocore does, but shorter.

    Args:
        session: botocore's, which knows where to ask.
    """
    from botocore.utils import InstanceMetadataFetcher

    names = (
        "ec2_metadata_service_endpoint",
        "ec2_metadata_service_endpoint_mode",
        "ec2_metadata_v1_disabled",
    )
    fetcher = InstanceMetadataFetcher(
        timeout=MACHINE_SECONDS,
        num_attempts=1,
        user_agent=session.user_agent(),
        config={name: session.get_config_variable(name) for name in names},
    )
    return bool(fetcher.retrieve_iam_role_credentials())
