"""Which deployment a run is of: what its own default parameters are, whatever the run was given instead."""

import sys
from typing import TYPE_CHECKING, Any
from uuid import UUID

from tasks.errors import NetworkError

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient


def deployment_defaults() -> dict[str, Any] | None:
    """The default parameters of the deployment of this run, or of the nearest run that it is a part of.

    None outside of runs, and in an ad hoc run, whose parameters are all of the user who started it.

    Raises:
        NetworkError: the Prefect server does not answer.
    """
    # A process that has not imported Prefect runs no flow, and need not wait seconds for it.
    if "prefect" not in sys.modules:
        return None
    from httpx import HTTPError
    from prefect.client.orchestration import get_client
    from prefect.exceptions import ObjectNotFound
    from prefect.runtime import flow_run

    if flow_run.id is None:
        return None
    try:
        with get_client(sync_client=True) as client:
            return _defaults_of(client, UUID(flow_run.id))
    except ObjectNotFound:
        # A deployment or parent that was deleted meanwhile vouches for nothing.
        return {}
    except HTTPError as error:
        raise NetworkError(
            f"the Prefect server does not say which deployment this run is of ({type(error).__name__}): "
            "check PREFECT_API_URL and that the server runs, then run again"
        ) from error


def _defaults_of(client: "SyncPrefectClient", run_id: UUID) -> dict[str, Any] | None:
    while True:
        run = client.read_flow_run(run_id)
        if run.deployment_id is not None:
            return client.read_deployment(run.deployment_id).parameters
        if run.parent_task_run_id is None:
            return None
        parent = client.read_task_run(run.parent_task_run_id).flow_run_id
        if parent is None:
            return None
        run_id = parent
