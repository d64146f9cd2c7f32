"""Deploy what `prefect.yaml` says to the server at PREFECT_API_URL; again is an update.

A deployment that is there keeps the schedules that it has: whether they are on, when they run, and those that
were added or deleted in the UI; and it stays paused if it is. `prefect deploy` alone would put the file's
schedules in their place, switched off, and end the pause.
"""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterTags

from flows.command.starting import ask_server

FILE = Path(__file__).with_name("prefect.yaml")
TAG = "docs-mlm"


def deployed() -> dict[str, bool]:
    """The names of the project's deployments that the server has, and whether each is paused."""
    tagged = DeploymentFilter(tags=DeploymentFilterTags(all_=[TAG]))
    with get_client(sync_client=True) as client:
        found = client.read_deployments(deployment_filter=tagged)
    return {deployment.name: deployment.paused for deployment in found}


def to_deploy(wanted: dict[str, Any], known: dict[str, bool]) -> dict[str, Any]:
    """What the file wants, with schedules only for deployments that are not `known`."""
    entries = []
    for entry in wanted["deployments"]:
        kept = entry.copy()
        if entry["name"] in known:
            kept.pop("schedules", None)
            kept["paused"] = known[entry["name"]]
        entries.append(kept)
    return wanted | {"deployments": entries}


def deploy(file: Path = FILE) -> int:
    """Deploy everything; the exit code of `prefect deploy`."""
    known = deployed()
    wanted = to_deploy(yaml.safe_load(file.read_text(encoding="utf-8")), known)
    with tempfile.TemporaryDirectory() as folder:
        merged = Path(folder) / file.name
        merged.write_text(yaml.safe_dump(wanted, sort_keys=False), encoding="utf-8")
        command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all", "--prefect-file"]
        code = subprocess.run([*command, str(merged)], check=False).returncode
    if code == 0 and known:
        sys.stdout.write(f"The schedules of {', '.join(sorted(known))} stay as the server has them\n")
    return code


if __name__ == "__main__":
    raise SystemExit(ask_server() or deploy())
