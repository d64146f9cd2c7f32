"""Which Prefect servers a run can be told to: older ones lose or refuse what this Prefect sends them."""

from contextlib import suppress

from httpx import HTTPError
from packaging.version import Version
from prefect import __version__ as own
from prefect.client.base import ServerType
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.settings import PREFECT_API_URL

from tasks.errors import UserError, scrubbed

OLDEST = Version("3.6.17")
"""The first server that takes all that is sent: before 3.6.14 none knows how this Prefect opens its stream of
events, so that task runs and heartbeats are lost (and runs without a heartbeat are taken for dead), and up to
3.6.16 each refuses a deployment's schedules, for their field `replaces`."""


def check_version(found: object, url: str) -> None:
    """See that the server at `url` is new enough, where `found` is its answer about its version.

    Raises:
        UserError: it is too old, or of another major version.
        ValueError: that is no version.
    """
    if not isinstance(found, str):
        raise ValueError(f"no version: {found!r}")  # noqa: TRY004 - as `Version` does with other words
    server, ours = Version(found), Version(own)
    way_out = "or unset PREFECT_API_URL for a temporary one"
    if server.major > ours.major:
        raise UserError(
            f"the Prefect server at {url} is version {server}, and docs-mlm's own Prefect {ours}, which "
            f"knows no server of a later major version: take a server of version {ours.major}, {way_out}"
        )
    if server < OLDEST:
        raise UserError(
            f"the Prefect server at {url} is version {server}, and docs-mlm needs {OLDEST} or newer (its own "
            f"Prefect is {ours}): upgrade the server, {way_out}"
        )


def check_server_of_run() -> None:
    """See that the server of this run is new enough, if it says so: a worker starts runs unasked.

    Raises:
        UserError: it is too old, or of another major version.
    """
    with get_client(sync_client=True) as client:
        if not tells_version(client):
            return
        with suppress(HTTPError):  # whatever is told to it next says in other words what is wrong
            check_version(client.api_version(), scrubbed(PREFECT_API_URL.value() or str(client.api_url)))


def tells_version(client: SyncPrefectClient) -> bool:
    """Whether the server has a version: Prefect's own cloud has none, and is always new enough."""
    return bool(client.server_type != ServerType.CLOUD)
