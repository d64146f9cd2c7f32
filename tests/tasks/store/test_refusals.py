"""What S3, its credentials and its certificate refuse is told in their own words, at once, with a way out."""

import datetime
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.errors import AwayStoreError, DocsMlmError, MissingStoreError, StoreError
from tasks.store.credentials import check_store_keys
from tasks.store.folders import Store
from tests.s3_server import BUCKET, KEY, SECRET, FaultProxy, Request, S3Server, fault_proxy, s3_server
from tests.tasks.store.conftest import contents, manifest_for

QUICK = 20.0
"""Seconds within which what cannot pass is told; it would be tried again for two minutes."""


def put_environment(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    """Set what a client needs, and nothing else."""
    for name in ("AWS_CA_BUNDLE", "AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


def refused(work: Callable[[], object], kind: type[DocsMlmError]) -> str:
    """What the error of `kind` says that `work` ends with, at once and on one line."""
    began = time.monotonic()
    with pytest.raises(kind) as raised:
        work()
    assert time.monotonic() - began < QUICK
    assert type(raised.value) is kind
    assert "\n" not in str(raised.value)
    assert SECRET not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize(
    ("fault", "way"),
    [
        ("403 RequestTimeTooSkewed", "clock"),
        ("403 InvalidAccessKeyId", "AWS_ACCESS_KEY_ID"),
        ("403 SignatureDoesNotMatch", "AWS_SECRET_ACCESS_KEY"),
        ("400 ExpiredToken", "AWS_SESSION_TOKEN"),
        ("403 AccessDenied", "s3:ListBucket"),
        ("403 AllAccessDisabled", "s3:ListBucket"),
        ("400 KMS.DisabledException", "kms:Decrypt"),
        ("400 InvalidEncryptionAlgorithmError", "default encryption"),
    ],
)
def test_what_s3_said_is_told(behind_proxy: Store, proxy: FaultProxy, fault: str, way: str) -> None:
    """A refusal is told with S3's code and words and what to do, and the request is not made again."""
    proxy.fault = lambda request: fault
    uri = behind_proxy.uri("models", "latest.json")
    for work in (
        lambda: behind_proxy.check(write=False),
        lambda: behind_proxy.read_json(uri),
        lambda: behind_proxy.write_json(uri, {}),
    ):
        proxy.requests.clear()
        words = refused(work, MissingStoreError)
        assert f"S3 said {fault.split()[1]}: injected" in words
        assert way in words
        # An expired token alone is worth a second request, with another.
        assert len(proxy.requests) == 1 + ("Expired" in fault)


def test_other_words_of_s3_are_told(behind_proxy: Store, proxy: FaultProxy) -> None:
    """A code that is not known here is told with its text too, and so is that of a server that stays busy."""
    proxy.fault = lambda request: "400 SomethingNew"
    assert "S3 said SomethingNew: injected" in refused(lambda: behind_proxy.check(write=False), StoreError)
    proxy.fault = lambda request: "503"
    assert "SlowDown: injected" in refused(lambda: behind_proxy.check(write=False), AwayStoreError)


def test_an_unknown_key(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real server's refusal of a key comes through with its own words."""
    put_environment(monkeypatch, server.environment | {"AWS_ACCESS_KEY_ID": "nobody"})
    words = refused(lambda: Store(server.url()).check(write=False), MissingStoreError)
    assert "InvalidAccessKeyId: The Access Key Id you provided does not exist" in words


def test_an_untrusted_certificate(tls_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A certificate that nobody vouches for is told at once, with the variable that names who may."""
    environment = dict(tls_server.environment)
    del environment["AWS_CA_BUNDLE"]
    put_environment(monkeypatch, environment)
    words = refused(lambda: Store(tls_server.url()).check(write=False), MissingStoreError)
    assert "self-signed certificate" in words
    assert "AWS_CA_BUNDLE" in words


def test_a_certificate_of_another(tls_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A certificate for another name is not tried again either."""
    endpoint = tls_server.environment["AWS_ENDPOINT_URL"].replace("127.0.0.1", "localhost")
    put_environment(monkeypatch, tls_server.environment | {"AWS_ENDPOINT_URL": endpoint})
    words = refused(lambda: Store(tls_server.url()).check(write=False), MissingStoreError)
    assert "localhost" in words
    assert "AWS_ENDPOINT_URL" in words


@pytest.mark.parametrize("bundle", ["nowhere.pem", "garbage.pem"])
def test_a_bundle_that_is_none(
    tls_server: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bundle: str
) -> None:
    """A file of certificates that is missing or holds none is named, and no object is taken for missing."""
    (tmp_path / "garbage.pem").write_text("garbage")
    put_environment(monkeypatch, tls_server.environment | {"AWS_CA_BUNDLE": str(tmp_path / bundle)})
    store = Store(tls_server.url())
    for work in (lambda: store.check(write=False), lambda: store.read_json(store.uri("latest.json"))):
        words = refused(work, MissingStoreError)
        assert "AWS_CA_BUNDLE" in words
        assert bundle in words


def test_http_and_https_confused(
    server: S3Server, tls_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An endpoint with the other scheme is told to have it."""
    put_environment(
        monkeypatch, server.environment | {"AWS_ENDPOINT_URL": f"https://127.0.0.1:{server.port}"}
    )
    words = refused(lambda: Store(server.url()).check(write=False), MissingStoreError)
    assert "speaks no TLS" in words
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{tls_server.port}")
    words = refused(lambda: Store(server.url()).check(write=False), MissingStoreError)
    assert "http or https" in words


@pytest.mark.parametrize("endpoint", ["127.0.0.1:9000", "localhost:9000", "minio.example.org", "http:/x"])
def test_an_endpoint_without_a_scheme(
    server: S3Server, monkeypatch: pytest.MonkeyPatch, endpoint: str
) -> None:
    """An endpoint that is no URL is told how one looks."""
    put_environment(monkeypatch, server.environment | {"AWS_ENDPOINT_URL": endpoint})
    assert "https://host" in refused(lambda: Store(server.url()).check(write=False), MissingStoreError)


def test_an_endpoint_with_the_bucket_in_it(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """An endpoint that names the bucket is told to leave it out; a host that happens to begin so is not."""
    endpoint = f"{server.environment['AWS_ENDPOINT_URL']}/{BUCKET}"
    put_environment(monkeypatch, server.environment | {"AWS_ENDPOINT_URL": endpoint})
    store = Store(server.url())
    for work in (lambda: store.check(write=False), lambda: store.folders(store.uri("models"))):
        assert "leave the bucket out of AWS_ENDPOINT_URL" in refused(work, MissingStoreError)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{BUCKET}.invalid:9")
    with pytest.raises(AwayStoreError, match="leave the bucket out"):
        Store(server.url(), patience=0.2).check(write=False)


PROFILES = """
[profile sso]
sso_session = ours
sso_account_id = 1
sso_role_name = reader
[sso-session ours]
sso_region = us-east-1
sso_start_url = https://sso.invalid/start
[profile failing]
credential_process = /bin/false
[profile absent]
credential_process = /nowhere/program
[profile half]
aws_access_key_id = a
"""


@pytest.mark.parametrize(
    ("profile", "way"),
    [
        ("sso", "aws sso login"),
        ("failing", "custom-process"),
        ("absent", "/nowhere/program"),
        ("half", "aws_secret_access_key"),
        ("unknown", "unknown"),
    ],
)
def test_credentials_that_cannot_be_had(
    server: S3Server,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    profile: str,
    way: str,
) -> None:
    """A missing login, a program that fails or is not there, and half a profile: one line each."""
    (tmp_path / "config").write_text(PROFILES)
    put_environment(monkeypatch, server.environment)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name, value in (
        ("AWS_CONFIG_FILE", str(tmp_path / "config")),
        ("AWS_PROFILE", profile),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("HOME", str(tmp_path)),
    ):
        monkeypatch.setenv(name, value)
    store = Store(server.url())
    with caplog.at_level(logging.WARNING):
        for work in (
            lambda: check_store_keys(server.url()),
            lambda: store.check(write=False),
            lambda: store.read_json(store.uri("models", "latest.json")),
        ):
            assert way in refused(work, MissingStoreError)
    assert not [record for record in caplog.records if record.exc_info]


def profile_with(token: str) -> str:
    """A file of credentials whose token is `token`."""
    keys = f"aws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}"
    return f"[default]\n{keys}\naws_session_token = {token}\n"


@pytest.mark.parametrize("where", ["file", "process"])
def test_an_expired_token_is_read_anew(
    server: S3Server,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    where: str,
) -> None:
    """A run whose token ends in the middle goes on with the one that has taken its place by then."""
    file = tmp_path / "credentials"
    later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)

    def hand_out(token: str) -> None:
        if where == "file":
            file.write_text(profile_with(token))
            return
        answer = (
            f'{{"Version": 1, "AccessKeyId": "{KEY}", "SecretAccessKey": "{SECRET}", '
            f'"SessionToken": "{token}", "Expiration": "{later.isoformat()}"}}'
        )
        (tmp_path / "answer.json").write_text(answer)
        file.write_text(f"[default]\ncredential_process = /bin/cat {tmp_path / 'answer.json'}\n")

    hand_out("first")
    with fault_proxy(server) as proxy:
        put_environment(monkeypatch, proxy.environment)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name)
        name = "AWS_SHARED_CREDENTIALS_FILE" if where == "file" else "AWS_CONFIG_FILE"
        monkeypatch.setenv(name, str(file))
        store = Store(proxy.url(f"expiring-{where}"), patience=5)
        uri = store.uri("corpus", "k1")
        valid, refusals, lock = {"first"}, [], threading.Lock()

        def expire(request: Request) -> str | None:
            if request.method == "PUT" and "sub/texts" in request.target and not refusals:
                valid.clear()
                valid.add("second")
                hand_out("second")
            if request.headers.get("x-amz-security-token") in valid:
                return None
            with lock:
                refusals.append(request)
            return "400 ExpiredToken"

        proxy.fault = expire
        store.commit(folder, uri, manifest_for())
        assert contents(store.fetch(uri, tmp_path / "copy")) == contents(folder)
        assert refusals
        valid.clear()
        words = refused(lambda: store.check(write=False), MissingStoreError)
        assert "ExpiredToken" in words


def test_a_certificate_of_the_servers_own(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its certificate named, a server of one's own is used over TLS: large files, ranges, and all."""
    with s3_server(tmp_path / "buckets", tls=True) as running:
        put_environment(monkeypatch, running.environment)
        store = Store(running.url(), patience=5)
        store.check(write=True)
        store.commit(folder, store.uri("corpus", "k1"), manifest_for())
        assert contents(store.fetch(store.uri("corpus", "k1"), tmp_path / "copy")) == contents(folder)
