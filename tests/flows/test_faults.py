"""Faults between a run and its S3 server, at every stage: it ends right, or with one clear error."""

import re
import threading
import time
from collections import Counter

import pytest

from flows.adapt import adapt
from tasks.errors import DocsMlmError, IntegrityError, NetworkError
from tasks.store.care import verify
from tasks.store.folders import Store
from tests.flows.conftest import MADE
from tests.s3_server import Request, fault_proxy
from tests.soak import environment_of, orphans

pytestmark = pytest.mark.usefixtures("prefect_server", "hasty")


@pytest.fixture
def hasty(monkeypatch):
    """Stores that give up after two seconds, and leases that settle at once."""
    monkeypatch.setitem(Store.__init__.__kwdefaults__, "patience", 2.0)
    monkeypatch.setattr("tasks.store.lease._SETTLE", 0.05)


@pytest.fixture
def proxy(s3):
    """A proxy before the S3 server, which this process's stores talk to."""
    with fault_proxy(s3) as running, environment_of(running):
        yield running


@pytest.fixture(scope="module")
def undisturbed(prefect_server, repositories, tmp_path_factory):
    """The weights of a run without faults, by its stored hash."""
    folder = tmp_path_factory.mktemp("undisturbed")
    return weights(adapt(**parameters(repositories, folder, str(folder / "store"))))


def parameters(repositories, folder, store: str) -> dict:
    """A run of some seconds that stores several checkpoints."""
    from tasks.settings import Settings
    from tests.soak import SETTINGS

    train = SETTINGS["train"] | {"max_steps": 30, "save_steps": 10}
    source = {
        "source": {"url": repositories.url("docs.git")},
        "store": store,
        "work_dir": str(folder / "work"),
    }
    return Settings.model_validate(SETTINGS | {"train": train} | source).as_parameters()


def weights(summary) -> str:
    """The SHA-256 of a published model's weights; every file of it and its chain is checked."""
    store, uri = Store(summary.store), summary.model["uri"]
    assert {part.state for part in verify(store, uri)} == {"intact"}
    files = {file.name: file.sha256 for file in store.manifest(uri).files}
    return files["model.safetensors"]


def stage_of(request: Request) -> str | None:
    """The stage whose folder a request is about; None for a listing or anything else."""
    found = re.search(r"/docs/[^/?]+/(\w+)/", request.target)
    return found[1] if found else None


@pytest.mark.parametrize("fault", ["500", "503", "reset", "reset-after", "stall", "truncate", "flip"])
def test_faults_that_pass_leave_no_trace(fault, proxy, repositories, undisturbed, tmp_path, monkeypatch):
    """Each stage meets the fault twice, reading and writing, and the model is the undisturbed run's.

    A flipped bit it meets once: a file that differs twice in a row counts as damaged. A stall costs time.
    """
    monkeypatch.setitem(Store.__init__.__kwdefaults__, "patience", 60.0)
    if fault == "stall":
        monkeypatch.setattr("tasks.store.s3_client._STALL", 1)
    times = 1 if fault in ("flip", "stall") else 2
    met: Counter[tuple[str, str]] = Counter()
    method = {"truncate": ("GET",), "flip": ("GET",)}.get(fault, ("GET", "PUT"))

    def choose(request: Request) -> str | None:
        stage = stage_of(request)
        if stage is None or request.method not in method or met[stage, request.method] >= times:
            return None
        # Bodies that are cut or altered matter where results are read, not where a name is looked up.
        if len(method) == 1 and re.search(r"\.lease|manifest\.json", request.target):
            return None
        met[stage, request.method] += 1
        return fault

    proxy.fault = choose
    summary = adapt(**parameters(repositories, tmp_path, proxy.url(f"passing-{fault}")))
    proxy.fault = lambda _: None
    assert weights(summary) == undisturbed
    readers = set(MADE) - {"models", "pairs"} if len(method) == 1 else set(MADE)
    assert {stage for stage, _ in met} >= readers - {"checkpoints"}


def test_faults_that_stay_end_with_one_error_and_no_torn_result(proxy, repositories, undisturbed, tmp_path):
    """With a store that takes nothing more at some stage, the run fails there; what was stored stays."""
    url = proxy.url("staying")
    arguments = parameters(repositories, tmp_path, url)
    store = Store(url)
    for number, stage in enumerate(MADE):
        proxy.fault = lambda request, stage=stage: (
            "503" if request.method == "PUT" and stage_of(request) == stage else None
        )
        with pytest.raises(NetworkError, match="does not answer") as raised:
            adapt(**arguments)
        assert raised.value.exit_code == 3
        proxy.fault = lambda _: None
        whole = {name for name in MADE for key in store.folders(store.uri(name))
                 if store.manifest(store.uri(name, key))}  # fmt: skip
        assert whole == set(MADE[:number])
    assert weights(adapt(**arguments)) == undisturbed


def test_bytes_that_stay_wrong_are_refused(proxy, repositories, tmp_path):
    """A file that never hashes to its manifest ends the run with exit code 1, and nothing is made of it."""
    url = proxy.url("wrong")
    proxy.fault = lambda request: "flip" if request.target.split("?")[0].endswith(".parquet") else None
    with pytest.raises(IntegrityError, match="differs from its manifest") as raised:
        adapt(**parameters(repositories, tmp_path, url))
    assert raised.value.exit_code == 1
    assert Store(url).folders(f"{url}/corpus") == []


def test_a_bucket_that_vanishes(proxy, repositories, tmp_path):
    """A bucket that is deleted in the middle is the user's to mend: exit code 2, at once."""
    bucket = proxy.root / "vanishing"
    bucket.mkdir()
    proxy.notice()

    def vanish(request: Request) -> None:
        if "/corpus/" in request.target and bucket.exists():
            bucket.rename(proxy.root.parent / "vanished")
            proxy.notice()

    proxy.fault = vanish
    with pytest.raises(DocsMlmError, match="no bucket 'vanishing'") as raised:
        adapt(**parameters(repositories, tmp_path, "s3://vanishing/store"))
    assert raised.value.exit_code == 2


def test_a_store_that_goes_away_while_training(proxy, repositories, undisturbed, tmp_path, monkeypatch):
    """Training goes on without its store; once that is back, the run ends as if nothing had been."""
    monkeypatch.setitem(Store.__init__.__kwdefaults__, "patience", 60.0)
    seen: list[float] = []

    def away(request: Request) -> None:
        if stage_of(request) == "checkpoints" and request.method == "PUT" and not seen:
            seen.append(time.monotonic())
            proxy.away = True
            threading.Timer(5, setattr, (proxy, "away", False)).start()

    proxy.fault = away
    summary = adapt(**parameters(repositories, tmp_path, proxy.url("away")))
    assert time.monotonic() - seen[0] > 5
    assert weights(summary) == undisturbed
    store = Store(summary.store)
    assert not orphans(store)
