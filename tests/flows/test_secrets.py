"""Secrets of the environment and of URLs are in nothing that a run writes, shows or starts."""

import asyncio
import json
import os
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.flows.conftest import every, files_under
from tests.git_server import GitServer
from tests.run_process import start_run
from tests.s3_server import KEY, SECRET
from tests.soak import SETTINGS

IN_ENVIRONMENT = {"WANDB_API_KEY": "wandb-key-" + "0a" * 15, "HF_TOKEN": "hf_" + "1b" * 17}
PASSWORD = "token-in-the-url-7f3a"
SECRETS = [SECRET, KEY, PASSWORD, *IN_ENVIRONMENT.values()]


def watch_command_lines(process: int, seen: set[str], ended: threading.Event) -> None:
    """Collect the command lines of a process and of all that it starts, until `ended`."""
    family = {process}
    while not ended.is_set():
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError, IndexError):
                # Behind the name, which may hold spaces: state and parent.
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
                if parent in family or int(entry.name) in family:
                    family.add(int(entry.name))
                    seen.add((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        time.sleep(0.02)


async def in_prefect() -> str:
    """Everything that the tests' Prefect server tells about its runs."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.sorting import ArtifactSort, FlowRunSort, LogSort, TaskRunSort

    async with get_client() as client:
        runs = await every(client.read_flow_runs, sort=FlowRunSort.START_TIME_DESC)
        tasks = await every(client.read_task_runs, sort=TaskRunSort.EXPECTED_START_TIME_DESC)
        artifacts = await every(client.read_artifacts, sort=ArtifactSort.CREATED_DESC)
        logs = await every(client.read_logs, sort=LogSort.TIMESTAMP_DESC)
        return json.dumps([item.model_dump(mode="json") for item in (*runs, *tasks, *artifacts, *logs)])


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="command lines are read from /proc")
def test_no_secret_leaves_the_environment(repositories, s3, server_url, tmp_path):
    """Keys of S3, W&B and the hub, and a token in a URL: a run that ends and one that fails keep them."""
    seen, ended = set[str](), threading.Event()
    machine = tmp_path / "machine"
    printed = ""
    with GitServer(repositories.root, user="me", password=PASSWORD) as git:
        url = git.url("docs.git").replace("://", f"://me:{PASSWORD}@")
        for include, code in (("**/*.md", 0), ("nothing.zzz", 2)):
            settings = tmp_path / "settings.json"
            train = SETTINGS["train"] | {"max_steps": 6}
            source = {"url": url, "include": [include]}
            settings.write_text(json.dumps(SETTINGS | {"train": train, "source": source}))
            arguments = [str(settings), "--store", s3.url("secrets")]
            variables = s3.environment | IN_ENVIRONMENT | {"PREFECT_API_URL": server_url}
            attempt = start_run(arguments, machine, PREFECT_LOGGING_LEVEL="DEBUG", **variables)
            watcher = threading.Thread(target=watch_command_lines, args=(attempt.process.pid, seen, ended))
            watcher.start()
            assert attempt.wait() == code, attempt.text()
            ended.set()
            watcher.join()
            ended.clear()
            printed += attempt.text() + attempt.out.read_text()
    assert any(line.startswith("git ") and " fetch " in line for line in seen), seen
    places = {f"S3 {name}": text for name, text in files_under(s3.root / "docs" / "secrets").items()}
    places |= {f"machine {name}": text for name, text in files_under(machine).items()}
    places |= {"command lines": "\n".join(seen).encode(), "printed": printed.encode()}
    places["Prefect"] = asyncio.run(in_prefect()).encode()
    assert "docs.git" in printed
    assert b"nothing.zzz" in places["Prefect"]
    assert any(name.endswith("README.md") for name in places), "the model card is among them"
    assert os.environ.get("WANDB_API_KEY") is None
    for secret in SECRETS:
        found = [name for name, text in places.items() if secret.encode() in text]
        assert not found, secret
