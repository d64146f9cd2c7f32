"""Keys for a store on S3 are looked for before anything else: see `flows/parameters.py`."""

from typing import Any

from botocore.exceptions import BotoCoreError, NoCredentialsError

from tasks.store.faults import explain

MACHINE_SECONDS = 0.5
"""How long each of two questions to a cloud's metadata service may take, instead of botocore's second: it
answers in milliseconds, and on other machines nobody does. What the user has set instead is kept."""


def check_store_keys(store: str) -> str:
    """See that there are keys for a store on S3, wherever AWS's clients look for them.

    Raises:
        UserError: there are none, or only a part.
    """
    if not store.startswith("s3://"):
        return store
    # Only here, because it takes half a second to import.
    from botocore.session import Session

    session = Session()
    session.get_component("credential_provider").remove("iam-role")
    try:
        if session.get_credentials() is None and not machine_has_role(session):
            raise NoCredentialsError
    except BotoCoreError as error:
        raise explain(error, store, "reached") from error
    return store


def machine_has_role(session: Any) -> bool:
    """Whether this machine is one of a cloud that tells its role's keys: asked as botocore does, but shorter.

    Args:
        session: botocore's, which knows where to ask.
    """
    from botocore.utils import InstanceMetadataFetcher, resolve_imds_endpoint_mode

    set_to = session.get_config_variable
    patience = (set_to("metadata_service_timeout"), set_to("metadata_service_num_attempts"))
    seconds, attempts = (MACHINE_SECONDS, 1) if patience == (1, 1) else patience
    where = {name: set_to(name) for name in ("ec2_metadata_service_endpoint", "ec2_metadata_v1_disabled")} | {
        "ec2_metadata_service_endpoint_mode": resolve_imds_endpoint_mode(session)
    }
    fetcher = InstanceMetadataFetcher(
        timeout=seconds, num_attempts=attempts, user_agent=session.user_agent(), config=where
    )
    return bool(fetcher.retrieve_iam_role_credentials())
