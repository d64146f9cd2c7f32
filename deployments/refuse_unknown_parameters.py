"""Have the server at PREFECT_API_URL refuse parameters that a flow does not take, and fold the form's rest.

Prefect's own schema of a flow's parameters leaves unknown names open, and a run would fail at its worker.
"""

import sys

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import DeploymentUpdate
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterTags

from flows.form import form_of

TAG = "docs-mlm"


def close_schemas() -> list[str]:
    """Close the schema of every deployment with the project's tag; returns their names."""
    tagged = DeploymentFilter(tags=DeploymentFilterTags(all_=[TAG]))
    with get_client(sync_client=True) as client:
        found = client.read_deployments(deployment_filter=tagged)
        for deployment in found:
            closed = form_of(deployment.parameter_openapi_schema or {}, deployment.parameters)
            client.update_deployment(deployment.id, DeploymentUpdate(parameter_openapi_schema=closed))
    return [deployment.name for deployment in found]


if __name__ == "__main__":
    sys.stdout.write(f"Unknown parameters are refused by {', '.join(sorted(close_schemas()))}\n")
