"""A Git server's token in a Prefect block; here, where a Prefect server runs."""

import logging
from pathlib import Path

import pytest
from prefect.blocks.system import Secret

from tasks.errors import UserError
from tasks.settings import SourceSettings
from tasks.sources import resolve_source
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
