"""A deployment's run gives the platform's token to the hosts of the deployment's own defaults alone."""

import asyncio
from contextlib import nullcontext
from typing import Any
from uuid import UUID, uuid4

import pytest
from prefect import flow, task
from prefect.client.orchestration import get_client
from prefect.flow_engine import run_flow, run_flow_in_subprocess

from tasks.clone_docs.kinds import resolve_source
from tasks.clone_docs.settings import SourceSettings
from tasks.errors import UserError
from tests.git_server import GitServer, make_repository

TOKEN = "the-platforms-token-3c4d"


@pytest.fixture
def servers(prefect_server, tmp_path, monkeypatch):
    """Two Git servers that ask for the platform's token."""
    make_repository(tmp_path / "docs.git", {"a.md": "text"})
    monkeypatch.setenv("GIT_TOKEN", TOKEN)
    monkeypatch.delenv("GIT_TOKEN_HOSTS", raising=False)
    settings = {"user": "x-access-token", "password": TOKEN}
    with GitServer(tmp_path, **settings) as own, GitServer(tmp_path, **settings) as other:
        yield own, other


@task
def pin(url: str) -> str:
    """Ask a server for its commit, as a task."""
    return resolve_source(SourceSettings(url=url)).commit_sha


@flow(name="token-child", persist_result=False)
def child(url: str) -> str:
    """A part of another run, as each source of several is."""
    return pin(url)


@flow(name="token-alone", persist_result=False)
def alone(source: dict[str, str]) -> str:
    """A flow on one source."""
    return resolve_source(SourceSettings(**source)).commit_sha


@flow(name="token-several", persist_result=False)
def several(sources: list[dict[str, str]], apart: bool) -> None:
    """A flow on several sources, in this process or, as a real one, in others."""
    if not apart:
        child(sources[0]["url"])
        return
    run_flow_in_subprocess(child, parameters={"url": sources[0]["url"]}).join()


def deployed(of: Any, defaults: dict[str, Any], given: dict[str, Any]) -> Any:
    """A run of a new deployment with these default parameters, given others."""

    async def make() -> Any:
        async with get_client() as client:
            flow_id = await client.create_flow(of)
            deployment = await client.create_deployment(flow_id, str(uuid4()), parameters=defaults)
            run = await client.create_flow_run_from_deployment(deployment, parameters=given)
            return await client.read_flow_run(run.id)

    return asyncio.run(make())


def authorized(server: GitServer) -> bool:
    """Whether the server was ever shown the token."""
    return any(request.authorization for request in server.requests)


def test_a_deployments_run_gives_the_token_to_its_defaults_hosts(servers):
    """The default's server gets it; a server that a form named instead does not, and the variable is told."""
    own, other = servers
    defaults = {"source": {"url": own.url("docs.git")}}
    run = deployed(alone, defaults, {"source": {"url": own.url("docs.git")}})
    assert run_flow(alone, flow_run=run, parameters=run.parameters)
    assert authorized(own)
    run = deployed(alone, defaults, {"source": {"url": other.url("docs.git")}})
    with pytest.raises(UserError, match=r"own default parameters alone \(127\.0\.0\.1.*GIT_TOKEN_HOSTS"):
        run_flow(alone, flow_run=run, parameters=run.parameters)
    assert other.requests
    assert not authorized(other)


@pytest.mark.parametrize("apart", [False, True])
def test_the_parts_of_a_deployments_run_do_as_it_does(servers, apart):
    """Its children, in this process or one of their own, give the token to no other host."""
    own, other = servers
    defaults = {"sources": [{"url": own.url("docs.git")}], "apart": apart}
    run = deployed(several, defaults, {})
    run_flow(several, flow_run=run, parameters=run.parameters)
    assert authorized(own)
    run = deployed(several, defaults, {"sources": [{"url": other.url("docs.git")}]})
    with nullcontext() if apart else pytest.raises(UserError, match="GIT_TOKEN_HOSTS"):
        run_flow(several, flow_run=run, parameters=run.parameters)
    assert other.requests
    assert not authorized(other)


def test_an_ad_hoc_run_gives_the_token_to_the_host_that_was_typed(servers):
    """Who starts a run of their own, with the token in their environment, says where it goes."""
    _, other = servers
    assert alone({"url": other.url("docs.git")})
    assert authorized(other)


def test_named_hosts_hold_for_deployments_too(servers, monkeypatch):
    """GIT_TOKEN_HOSTS opens a host that is no default, and closes a default that it leaves out."""
    own, other = servers
    monkeypatch.setenv("GIT_TOKEN_HOSTS", f"127.0.0.1:{other.port}")
    defaults = {"source": {"url": own.url("docs.git")}}
    run = deployed(alone, defaults, {"source": {"url": other.url("docs.git")}})
    assert run_flow(alone, flow_run=run, parameters=run.parameters)
    run = deployed(alone, defaults, {})
    with pytest.raises(UserError, match="GIT_TOKEN_HOSTS names other hosts"):
        run_flow(alone, flow_run=run, parameters=run.parameters)
    assert not authorized(own)


def test_the_token_is_looked_at_before_a_deployments_run_begins(servers, chosen, monkeypatch):
    """A block whose token may not go to the form's host ends the run before any task, and is not read."""
    from prefect.blocks.system import Secret

    from flows.adapt import adapt

    own, other = servers
    Secret(value=TOKEN).save("platform-token")
    given = chosen(source={"url": other.url("docs.git"), "credentials_block": "platform-token"})
    parameters = given.model_dump(mode="json")
    defaults = parameters | {"source": {"url": own.url("docs.git")}}
    run = deployed(adapt, defaults, parameters)
    # As a worker starts it: the run is known by the environment until it begins.
    monkeypatch.setenv("PREFECT__FLOW_RUN_ID", str(UUID(str(run.id))))
    with pytest.raises(UserError, match=r"'platform-token' is not given to 127\.0\.0\.1"):
        run_flow(adapt, flow_run=run, parameters=run.parameters)
    assert other.requests == []
