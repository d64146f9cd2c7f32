"""A Git server's token in a Prefect block; here, where a Prefect server runs."""

import logging
from pathlib import Path

import pytest
from prefect.blocks.system import Secret

from tasks.errors import UserError
from tasks.settings import SourceSettings
from tasks.sources.resolving import resolve_source
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


def test_a_password_in_a_url_is_in_no_parameter_of_the_run(prefect_server: None, tmp_path: Path) -> None:
    """A run whose URL carries a password works, and Prefect, store and work folder never hold it."""
    import asyncio

    from prefect.client.orchestration import get_client
    from prefect.client.schemas.sorting import FlowRunSort

    from flows.adapt import adapt
    from tasks.settings import Settings
    from tests.flows.conftest import DOCUMENTS, files_under
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
                "store": str(tmp_path / "store"),
                "work_dir": str(tmp_path / "work"),
            }
        )
        adapt(**settings.as_parameters())

    async def newest_runs() -> str:
        async with get_client() as client:
            runs = await client.read_flow_runs(sort=FlowRunSort.START_TIME_DESC, limit=5)
            artifacts = await client.read_artifacts()
            return str([run.model_dump(mode="json") for run in runs]) + str(artifacts)

    stored = asyncio.run(newest_runs())
    assert "docs.git" in stored
    assert "pass-in-url" not in stored
    for folder in ("store", "work"):
        for name, content in files_under(tmp_path / folder).items():
            assert b"pass-in-url" not in content, name
