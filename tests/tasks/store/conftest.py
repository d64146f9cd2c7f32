"""Stores on a folder and on a real S3 server, with and without a proxy that makes faults."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.store.folders import Store
from tasks.store.manifest import Manifest
from tests.s3_server import FaultProxy, S3Server, fault_proxy, s3_server

KEY = "0123456789abcdef" * 2
"""A key as a stage has it; `sweep` takes no other name for a result's."""


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A real S3 server, for all tests of this folder."""
    with s3_server(tmp_path_factory.mktemp("s3") / "buckets") as running:
        yield running


@pytest.fixture(scope="session")
def tls_server(server: S3Server) -> Iterator[S3Server]:
    """A server of the same buckets that speaks TLS: over it a client signs and sums in another way."""
    with s3_server(server.root, tls=True) as running:
        yield running


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small files in several parts, because the tests are about the parts and not about the bytes."""
    monkeypatch.setattr("tasks.store.s3_parts.PART", 1 << 20)


@pytest.fixture
def proxy(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultProxy]:
    """A proxy before the server, which the environment points to."""
    with fault_proxy(server) as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        yield running


@pytest.fixture
def behind_proxy(proxy: FaultProxy) -> Store:
    """An S3 store behind the proxy that gives up after two seconds."""
    return Store(proxy.url(os.urandom(4).hex()), patience=2)


@pytest.fixture(params=["file", "s3"])
def store(
    request: pytest.FixtureRequest, tmp_path: Path, tls_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> Store:
    """An empty store, once on a folder and once on S3 over TLS; without it go those behind the proxy."""
    if request.param == "file":
        return Store(str(tmp_path / "store"))
    for name, value in tls_server.environment.items():
        monkeypatch.setenv(name, value)
    return Store(tls_server.url(os.urandom(4).hex()), patience=5)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder to commit: small files, an empty one, one in a subfolder, and one of several parts."""
    made = tmp_path / "made"
    (made / "sub").mkdir(parents=True)
    (made / "config.json").write_text("{}")
    (made / "empty").touch()
    (made / "sub" / "texts.txt").write_text("texts\n" * 1000)
    (made / "weights.bin").write_bytes(os.urandom(5 << 19))
    return made


def manifest_for(key: str = "k1", *, stage: str = "corpus", **ancestors: dict[str, str]) -> Manifest:
    """A manifest as a stage hands it to `Store.commit`."""
    return Manifest(stage=stage, key=key, record={"uri": "elsewhere", "key": key}, ancestors=ancestors)


def place(store: Store, server: S3Server, path: str) -> Path:
    """Where something of a store lies on this machine's disk, whichever way the store is reached."""
    protocol, _, root = store.url.partition("://")
    return (Path(root) if protocol == "file" else server.root / root) / path


def contents(folder: Path) -> dict[str, bytes]:
    """Every file under `folder`, by name."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
