"""One Prefect server and one worker for all tests of the deployments, as the README starts them."""

import pytest

from tests.flows.conftest import make_documents
from tests.git_server import GitServer, make_repository
from tests.prefect_server import PrefectServer, prefect_server
from tests.tiny import SIZES


@pytest.fixture(scope="session")
def git(tmp_path_factory):
    """A Git server with a small repository, `docs.git`."""
    root = tmp_path_factory.mktemp("git")
    make_repository(root / "docs.git", make_documents())
    with GitServer(root) as server:
        yield server


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    """The store that was chosen when the deployments were made."""
    return tmp_path_factory.mktemp("results") / "store"


@pytest.fixture(scope="package")
def server(tmp_path_factory, store) -> PrefectServer:
    """A Prefect server on SQLite, with everything deployed by one command."""
    with prefect_server(tmp_path_factory.mktemp("prefect")) as running:
        running.make("deploy", DOCS_MLM_STORE=str(store))
        yield running


@pytest.fixture(scope="module")
def worker(server, tmp_path_factory):
    """A worker that was started in a folder that has nothing to do with docs-mlm."""
    with server.worker(tmp_path_factory.mktemp("elsewhere"), HOME=str(tmp_path_factory.mktemp("home"))):
        yield server


@pytest.fixture
def tiny(git, tmp_path):
    """Parameters of a run that takes seconds."""

    def parameters(**train) -> dict:
        return {
            "source": {"url": git.url("docs.git")},
            "filter": {},
            "tokenize": {"max_seq_length": 48},
            "model": {"from_scratch": SIZES.model_dump()},
            "train": {
                "num_train_epochs": 1000,
                "max_steps": 6,
                "per_device_train_batch_size": 8,
                "logging_steps": 2,
                "precision": "fp32",
            }
            | train,
            "evaluate": {"enabled": False},
            "store": str(tmp_path / "store"),
            "work_dir": str(tmp_path / "work"),
        }

    return parameters


NAMES = {
    "on-demand": "docs-mlm/on-demand",
    "nightly": "docs-mlm/nightly",
    "demo": "docs-mlm-demo/demo",
    "several": "docs-mlm-several/several",
}
"""Every deployment, as it is started."""


@pytest.fixture
def long(tiny, tmp_path):
    """Parameters of a deployment's run of minutes, in a store and a work folder of its own."""

    def parameters(name: str) -> dict:
        places = {"store": str(tmp_path / name / "store"), "work_dir": str(tmp_path / name / "work")}
        if name == "demo":
            return places
        made = tiny(max_steps=100_000, save_steps=400, logging_steps=400) | places
        if name == "several":
            made["sources"] = [made.pop("source")]
        return made

    return parameters
