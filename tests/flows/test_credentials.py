"""A Git server's token in a Prefect block; here, where a Prefect server runs."""

import asyncio
import logging
import socket
from pathlib import Path

import pytest
from prefect.blocks.system import Secret

from tasks.clone_docs.git.access import check_source_secret
from tasks.clone_docs.kinds import resolve_source
from tasks.clone_docs.settings import SourceSettings
from tasks.errors import UserError
from tests.git_server import GitServer, make_repository


def test_a_token_can_come_from_a_prefect_block(
    prefect_server: None, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Secret block opens a private repository; one that does not exist is a user's mistake."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("GIT_TOKEN", "wrong")
    commit = make_repository(tmp_path / "docs.git", {"a.md": "text"})
    Secret(value="from-the-block").save("docs-token")
    with GitServer(tmp_path, user="x-access-token", password="from-the-block") as server:
        url = server.url("docs.git")
        source = resolve_source(SourceSettings(url=url, credentials_block="docs-token"))
        assert source.commit_sha == commit
        with pytest.raises(UserError, match="no Secret block 'nothing'"):
            resolve_source(SourceSettings(url=url, credentials_block="nothing"))
        with pytest.raises(UserError, match="refuses access"):
            resolve_source(SourceSettings(url=url))
    assert "from-the-block" not in caplog.text


def runs_tasks(name: str) -> tuple[str, list[str]]:
    """The message of the newest run of a flow, which never began, and the names of its task runs."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowFilter, FlowFilterName, FlowRunFilter, FlowRunFilterId
    from prefect.client.schemas.sorting import FlowRunSort

    async def ask() -> tuple[str, list[str]]:
        async with get_client() as client:
            flow = FlowFilter(name=FlowFilterName(any_=[name]))
            order = FlowRunSort.EXPECTED_START_TIME_DESC
            (run,) = await client.read_flow_runs(flow_filter=flow, sort=order, limit=1)
            mine = FlowRunFilter(id=FlowRunFilterId(any_=[run.id]))
            tasks = await client.read_task_runs(flow_run_filter=mine)
            assert run.state is not None
            assert not run.total_run_time, "it was never Running"
            return str(run.state.message), [task.name for task in tasks]

    return asyncio.run(ask())


def test_a_block_is_found_inside_a_running_loop(prefect_server: None) -> None:
    """A notebook's loop, or another flow's, is no hindrance to looking for the block."""
    Secret(value="value").save("docs-token-in-a-loop")
    source = SourceSettings(url="https://127.0.0.1/docs.git", credentials_block="docs-token-in-a-loop")

    async def check() -> SourceSettings:
        return check_source_secret(source)

    assert asyncio.run(check()) == source


@pytest.mark.parametrize("folded", [False, True], ids=["in its stage", "under expert"])
def test_a_missing_block_is_the_first_thing_that_a_run_sees(folded, chosen, repositories, tmp_path):
    """No task begins, the Git server is not asked, no store comes to be, and the state names the block."""
    from flows.adapt import adapt

    named = {"credentials_block": "no-such-block"}
    settings = chosen(source={} if folded else named)
    repositories.forget()
    with pytest.raises(UserError, match="no Secret block 'no-such-block'"):
        adapt(**settings.as_parameters(), expert={"source": named} if folded else None)
    message, tasks = runs_tasks("docs-mlm")
    assert "no-such-block" in message
    assert "GIT_TOKEN" in message
    assert tasks == []
    assert repositories.requests == []
    assert not Path(settings.store).exists()


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("docs-mlm", {}),
        ("docs-mlm", {"AWS_ACCESS_KEY_ID": "only-half"}),
        ("docs-mlm-several", {}),
        ("docs-mlm-demo", {}),
    ],
)
def test_missing_keys_of_s3_are_the_first_thing_that_a_run_sees(
    name, keys, chosen, repositories, monkeypatch
):
    """No task begins, neither server is asked, no folder comes to be, and the state names the variables."""
    from flows.adapt import adapt
    from flows.adapt_many import adapt_many
    from flows.demo import demo

    for variable in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(variable, raising=False)
    nowhere = {"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}
    for variable, value in {**nowhere, **keys, "AWS_EC2_METADATA_DISABLED": "true"}.items():
        monkeypatch.setenv(variable, value)
    settings = chosen(store="s3://bucket/prefix")
    of_one = settings.as_parameters()
    of_many = {stage: value for stage, value in of_one.items() if stage != "source"}
    flows = {
        "docs-mlm": lambda: adapt(**of_one),
        "docs-mlm-several": lambda: adapt_many(sources=[settings.source], **of_many),
        "docs-mlm-demo": lambda: demo(store=settings.store, work_dir=settings.work_dir),
    }
    repositories.forget()
    with socket.create_server(("127.0.0.1", 0)) as s3:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{s3.getsockname()[1]}")
        with pytest.raises(UserError, match="no S3 credentials"):
            flows[name]()
        s3.setblocking(False)
        with pytest.raises(BlockingIOError):
            s3.accept()
    message, tasks = runs_tasks(name)
    assert "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in message
    assert tasks == []
    assert repositories.requests == []
    assert not settings.work_dir.exists()


def test_a_password_in_a_url_is_in_no_parameter_of_the_run(prefect_server: None, tmp_path: Path) -> None:
    """A run whose URL carries a password works, and Prefect, store and work folder never hold it."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.sorting import FlowRunSort

    from flows.adapt import adapt
    from tasks.settings import Settings
    from tests.flows.conftest import DOCUMENTS, every, files_under
    from tests.tiny import SIZES

    make_repository(tmp_path / "repositories" / "docs.git", DOCUMENTS)
    with GitServer(tmp_path / "repositories", user="me", password="pass-in-url") as server:
        url = server.url("docs.git").replace("://", "://me:pass-in-url@")
        settings = Settings.model_validate(
            {
                "source": {"url": url},
                "tokenize": {"max_seq_length": 32},
                "model": {"from_scratch": SIZES.model_dump()},
                "train": {"max_steps": 1, "precision": "fp32"},
                "evaluate": {"enabled": False},
                "store": str(tmp_path / "store"),
                "work_dir": str(tmp_path / "work"),
            }
        )
        adapt(**settings.as_parameters())

    async def newest_runs() -> str:
        async with get_client() as client:
            runs = await client.read_flow_runs(sort=FlowRunSort.START_TIME_DESC, limit=5)
            artifacts = await every(client.read_artifacts)
            return str([run.model_dump(mode="json") for run in runs]) + str(artifacts)

    stored = asyncio.run(newest_runs())
    assert "docs.git" in stored
    assert "pass-in-url" not in stored
    for folder in ("store", "work"):
        for name, content in files_under(tmp_path / folder).items():
            assert b"pass-in-url" not in content, name
