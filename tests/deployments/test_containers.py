"""What can be said of the container files without an engine; `lint_containers.py` says the rest."""

import json
import re

import pytest
import yaml

from tasks.training.keeper import CLOSE_SECONDS
from tests.prefect_server import ROOT

FOLDER = ROOT / "deployments"
COMPOSE = yaml.safe_load((FOLDER / "compose.yaml").read_text())


def template(kind: str) -> dict:
    """A work pool's job template."""
    return json.loads((FOLDER / "work_pools" / f"{kind}.json").read_text())


def test_the_image_runs_as_a_user():
    """The last USER is a number that is not root, and nothing but tini stands before the command."""
    dockerfile = (FOLDER / "Dockerfile").read_text()
    assert re.findall(r"^USER (\d+)$", dockerfile, re.MULTILINE)[-1] == "10001"
    assert re.search(r'^ENTRYPOINT \["tini", "--"\]$', dockerfile, re.MULTILINE)


@pytest.mark.parametrize("kind", ["docker", "kubernetes"])
def test_every_placeholder_is_a_variable(kind):
    """A template names no variable that it does not have, and has none that it does not name."""
    made = template(kind)
    named = set(re.findall(r"\{\{ (\w+) \}\}", json.dumps(made["job_configuration"])))
    assert named == set(made["variables"]["properties"])


def test_there_is_time_to_save():
    """Whoever stops a container waits longer than the last checkpoint may take."""
    assert template("kubernetes")["variables"]["properties"]["grace_seconds"]["default"] > CLOSE_SECONDS
    assert int(COMPOSE["services"]["worker"]["stop_grace_period"].removesuffix("s")) > CLOSE_SECONDS


def test_a_job_gets_its_gpu_and_its_shared_memory():
    """Both templates ask for a GPU and for more shared memory than the default 64 MB."""
    kwargs = template("docker")["variables"]["properties"]["container_create_kwargs"]["default"]
    assert kwargs["shm_size"] == "2g"
    assert kwargs["device_requests"][0]["capabilities"] == [["gpu"]]
    pod = template("kubernetes")["job_configuration"]["job_manifest"]["spec"]["template"]["spec"]
    assert pod["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "{{ gpus }}"
    assert pod["securityContext"]["runAsNonRoot"]
    assert {"name": "shared-memory", "mountPath": "/dev/shm"} in pod["containers"][0]["volumeMounts"]


def test_compose_has_no_password_of_its_own():
    """Passwords come from outside, and the server listens to this machine alone."""
    text = (FOLDER / "compose.yaml").read_text()
    for name in ("POSTGRES_PASSWORD", "AWS_SECRET_ACCESS_KEY"):
        assert f"${{{name}:?" in text
    assert all(port.startswith("127.0.0.1:") for port in COMPOSE["services"]["server"]["ports"])
