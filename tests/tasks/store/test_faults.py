"""Each fault of the line and the server, made by a proxy before a real S3 server."""

import errno
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from botocore.exceptions import EndpointConnectionError, NoCredentialsError

from tasks.errors import AwayStoreError, IntegrityError, MissingStoreError, NetworkError, StoreError
from tasks.store import s3_client
from tasks.store.faults import explain
from tasks.store.folders import Store
from tests.s3_server import BUCKET, FaultProxy, Request, S3Server
from tests.tasks.store.conftest import contents, manifest_for


def some(fault: str, every: int, limit: int = 10**9) -> Callable[[Request], str | None]:
    """A rule by which each `every`-th request has `fault`, up to the request numbered `limit`."""
    return lambda request: fault if request.number % every == 0 and request.number <= limit else None


@pytest.mark.parametrize("fault", ["500", "503", "reset", "reset-after", "truncate"])
def test_passing_faults_are_ridden_out(proxy: FaultProxy, folder: Path, tmp_path: Path, fault: str) -> None:
    """With every third request failing, a folder is still committed and fetched, every byte right."""
    proxy.fault = some(fault, 3)
    store = Store(proxy.url(f"passing-{fault}"), patience=30)
    uri = store.uri("corpus", "k1")
    store.commit(folder, uri, manifest_for())
    assert contents(store.fetch(uri, tmp_path / "copy")) == contents(folder)
    assert len(proxy.requests) > 15


@pytest.mark.parametrize(
    "fault",
    [
        "429 TooManyRequests",
        "400 SlowDown",
        "400 RequestTimeout",
        "400 IncompleteBody",
        "400 BadDigest",
        "400 XAmzContentSHA256Mismatch",
    ],
)
def test_busy_servers_and_torn_requests_are_asked_again(proxy: FaultProxy, fault: str) -> None:
    """Throttling, and what a server says when a request arrived late or torn, is tried again."""
    store = Store(proxy.url("busy"), patience=60)
    proxy.fault = lambda request: fault if request.number <= 2 else None
    store.write_json(store.uri("models", "latest.json"), {"key": "k1"})
    assert len(proxy.requests) == 3


def test_a_refusal_is_not_asked_again(behind_proxy: Store, proxy: FaultProxy) -> None:
    """What no later attempt can change is told at once."""
    proxy.fault = lambda request: "400 InvalidArgument"
    with pytest.raises(StoreError, match="cannot be written"):
        behind_proxy.write_json(behind_proxy.uri("models", "latest.json"), {"key": "k1"})
    assert len(proxy.requests) == 1


@pytest.mark.parametrize("fault", ["503", "reset", "stall"])
def test_lasting_faults_become_one_clear_error(
    behind_proxy: Store,
    proxy: FaultProxy,
    folder: Path,
    tmp_path: Path,
    fault: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """When nothing gets through for the set time, there is one network error, and nothing exists."""
    monkeypatch.setattr(s3_client, "_STALL", 1)
    uri = behind_proxy.uri("corpus", "k1")
    proxy.fault = lambda request: fault if request.method in ("PUT", "POST") else None
    with pytest.raises(NetworkError, match="does not answer"):
        behind_proxy.commit(folder, uri, manifest_for())
    proxy.fault = lambda request: None
    assert behind_proxy.manifest(uri) is None
    behind_proxy.commit(folder, uri, manifest_for())
    proxy.fault = lambda request: fault if "weights" in request.target else None
    with pytest.raises(NetworkError, match="does not answer"):
        behind_proxy.fetch(uri, tmp_path / "copy")
    assert list(tmp_path.glob("copy*")) == []


def test_a_store_that_is_away_for_a_while(proxy: FaultProxy, folder: Path, tmp_path: Path) -> None:
    """A commit and a fetch during which the store refuses connections for seconds end as if it had not."""
    store = Store(proxy.url("away"), patience=30)
    uri = store.uri("corpus", "k1")
    for work in (
        lambda: store.commit(folder, uri, manifest_for()),
        lambda: store.fetch(uri, tmp_path / "copy"),
    ):
        proxy.away = True
        back = threading.Timer(2.0, setattr, (proxy, "away", False))
        back.start()
        work()
        assert not proxy.away
    assert contents(tmp_path / "copy") == contents(folder)


@pytest.mark.parametrize("part", ["PUT", "GET"])
def test_a_stall_ends(
    proxy: FaultProxy, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    """A server that takes or sends nothing more is given up after the set time and asked again."""
    monkeypatch.setattr(s3_client, "_STALL", 1)
    store = Store(proxy.url(f"stall{part}"), patience=60)
    stalled: list[Request] = []

    def stall_once(request: Request) -> str | None:
        if request.method == part and "weights" in request.target and len(stalled) < 2:
            stalled.append(request)
            return "stall"
        return None

    proxy.fault = stall_once
    uri = store.uri("corpus", "k1")
    store.commit(folder, uri, manifest_for())
    assert contents(store.fetch(uri, tmp_path / "copy")) == contents(folder)
    assert len(stalled) == 2


def test_a_stall_in_the_middle_of_a_large_body_ends(
    proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that stops reading while more is being sent than the line holds is given up too."""
    monkeypatch.setattr(s3_client, "_STALL", 1)
    store = Store(proxy.url("middle"), patience=60)
    proxy.fault = lambda request: "stall" if request.number == 1 else None
    store.objects.write("large", bytes(32 << 20))
    assert store.objects.entries("")["large"].size == 32 << 20


def test_a_torn_range_is_asked_for_again(
    behind_proxy: Store, proxy: FaultProxy, folder: Path, tmp_path: Path
) -> None:
    """A range that comes as half of itself, and says that this is all, is asked for until it is whole."""
    uri = behind_proxy.uri("corpus", "k1")
    behind_proxy.commit(folder, uri, manifest_for())
    torn: list[Request] = []

    def tear(request: Request) -> str | None:
        if "weights" in request.target and len(torn) < 4:
            torn.append(request)
            return "shorten"
        return None

    proxy.fault = tear
    store = Store(behind_proxy.url, patience=60)
    assert contents(store.fetch(uri, tmp_path / "copy")) == contents(folder)
    assert len(torn) == 4


def test_a_bit_flipped_on_the_way_is_fetched_again(
    behind_proxy: Store, proxy: FaultProxy, folder: Path, tmp_path: Path
) -> None:
    """A range that arrives with one wrong bit is seen by its hash, and the file fetched once more."""
    uri = behind_proxy.uri("corpus", "k1")
    behind_proxy.commit(folder, uri, manifest_for())
    flipped: list[Request] = []

    def flip_once(request: Request) -> str | None:
        if "weights" in request.target and not flipped:
            flipped.append(request)
            return "flip"
        return None

    proxy.fault = flip_once
    assert contents(behind_proxy.fetch(uri, tmp_path / "copy")) == contents(folder)
    assert flipped
    proxy.fault = lambda request: "flip" if "weights" in request.target else None
    with pytest.raises(IntegrityError, match=r"weights\.bin differs"):
        behind_proxy.fetch(uri, tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_a_flipped_manifest_is_read_again(behind_proxy: Store, proxy: FaultProxy, folder: Path) -> None:
    """A manifest that arrives with one wrong bit is read once more, and then taken for none."""
    uri = behind_proxy.uri("corpus", "k1")
    behind_proxy.commit(folder, uri, manifest_for())
    flipped: list[str] = []

    def flip_once(request: Request) -> str | None:
        if "manifest.json" in request.target and not flipped:
            flipped.append(request.target)
            return "flip"
        return None

    proxy.fault = flip_once
    assert behind_proxy.manifest(uri) is not None
    assert flipped
    proxy.fault = lambda request: "flip" if "manifest.json" in request.target else None
    assert behind_proxy.manifest(uri) is None


def test_a_cut_off_commit_goes_on_file_by_file(behind_proxy: Store, proxy: FaultProxy, folder: Path) -> None:
    """What a failed commit has sent is not sent again."""
    uri = behind_proxy.uri("corpus", "k1")
    proxy.fault = lambda request: "500" if "manifest" in request.target and request.method == "PUT" else None
    with pytest.raises(NetworkError):
        behind_proxy.commit(folder, uri, manifest_for())
    proxy.fault = lambda request: None
    proxy.requests.clear()
    behind_proxy.commit(folder, uri, manifest_for())
    sent = [request.target for request in proxy.requests if request.method in ("PUT", "POST")]
    assert len(sent) == 1
    assert "manifest.json" in sent[0]


def test_wrong_credentials_are_said_at_once(
    server: S3Server, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong secret, and no credentials at all, are the user's to mend: no retries, no secret told."""
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-the-secret-of-this-server")
    store = Store(server.url())
    began = time.monotonic()
    for work in (
        lambda: store.check(write=False),
        lambda: store.check(write=True),
        lambda: store.manifest(store.uri("corpus", "k1")),
        lambda: store.commit(folder, store.uri("corpus", "k1"), manifest_for()),
    ):
        with pytest.raises(MissingStoreError, match="permission denied") as raised:
            work()
        assert "not-the-secret" not in str(raised.value)
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(MissingStoreError, match="no S3 credentials"):
        store.check(write=False)
    assert time.monotonic() - began < 60  # far below the time for which a fault is tried again


def test_a_missing_bucket_is_said_at_once(proxy: FaultProxy, folder: Path, tmp_path: Path) -> None:
    """Nothing can be asked of a bucket that is not there, and the error names it."""
    store = Store("s3://not-there/store")
    uri = store.uri("corpus", "k1")
    for work in (
        lambda: store.check(write=False),
        lambda: store.manifest(uri),
        lambda: store.read_json(store.uri("models", "latest.json")),
        lambda: store.folders(store.uri("corpus")),
        lambda: store.commit(folder, uri, manifest_for()),
        lambda: store.fetch(uri, tmp_path / "copy"),
    ):
        with pytest.raises(MissingStoreError, match="no bucket 'not-there'"):
            work()


def test_a_bucket_that_vanishes(proxy: FaultProxy, folder: Path) -> None:
    """A bucket that goes away in the middle of a commit is named, and not taken for an empty store."""
    bucket = proxy.root / "vanishing"
    bucket.mkdir()
    store = Store("s3://vanishing/store", patience=5)
    uri = store.uri("corpus", "k1")

    def vanish(request: Request) -> str | None:
        if request.method in ("PUT", "POST") and bucket.exists():
            bucket.rename(proxy.root.parent / "gone")
        return None

    proxy.fault = vanish
    with pytest.raises(MissingStoreError, match="no bucket 'vanishing'"):
        store.commit(folder, uri, manifest_for())
    with pytest.raises(MissingStoreError, match="no bucket 'vanishing'"):
        store.manifest(uri)


def test_no_server_at_all(monkeypatch: pytest.MonkeyPatch, server: S3Server) -> None:
    """An endpoint at which nobody listens is a network error that names the setting to look at."""
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(NetworkError, match="AWS_ENDPOINT_URL"):
        Store(f"s3://{BUCKET}/x", patience=0.5).check(write=False)


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (OSError(errno.ENOSPC, "full"), StoreError, "no space left"),
        (OSError(errno.EROFS, "read-only"), MissingStoreError, "read-only"),
        (OSError(errno.EIO, "bad sector"), StoreError, "bad sector"),
        (PermissionError(errno.EACCES, "no"), MissingStoreError, "permission denied"),
        (NotADirectoryError(errno.ENOTDIR, "a file"), MissingStoreError, "a file"),
        (NoCredentialsError(), MissingStoreError, "AWS_ACCESS_KEY_ID"),
        (EndpointConnectionError(endpoint_url="http://x"), AwayStoreError, "AWS_ENDPOINT_URL"),
        (TimeoutError(), AwayStoreError, "does not answer"),
    ],
)
def test_what_each_error_becomes(error: Exception, kind: type[Exception], words: str) -> None:
    """Each error of a client becomes one of the project's own that names the store and what to do."""
    told = explain(error, "s3://bucket/store", "written")
    assert type(told) is kind
    assert words in str(told)
    assert "s3://bucket/store" in str(told)
