"""What is relied on of the S3 client: each request goes out once, at once, and its refusal can be read."""

import threading
from collections.abc import Iterator
from email.message import Message
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tasks.store.folders import Store
from tasks.store.refusals import code_of
from tasks.store.s3_client import read, request
from tests.s3_server import BUCKET, FaultProxy, S3Server


class Listener(BaseHTTPRequestHandler):
    """A server that keeps the headers of what is sent to it."""

    protocol_version = "HTTP/1.1"  # answers those who ask first
    heard: list[Message]

    def do_PUT(self) -> None:
        """Take the object."""
        self.heard.append(self.headers)
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("ETag", '"x"')
        self.send_header("Content-Length", "0")
        self.send_header("Connection", "close")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Message]]:
    """The headers that arrive at a server on loopback, which the environment points to."""
    Listener.heard = []
    with HTTPServer(("127.0.0.1", 0), Listener) as server:
        for name, value in S3Server(port=server.server_port, root=None).environment.items():  # type: ignore[arg-type]
            monkeypatch.setenv(name, value)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Listener.heard
        server.shutdown()


def test_an_upload_waits_for_no_word(heard: list[Message]) -> None:
    """Bytes are sent without asking the server whether it wants them, for its answer has no time limit."""
    request("put_object", Bucket=BUCKET, Key="a", Body=b"bytes")
    (headers,) = heard
    assert "Expect" not in headers
    assert headers["Authorization"], "it is signed all the same"


@pytest.mark.parametrize("where", [None, "environment", "profile"])
def test_an_upload_carries_no_sum_of_its_own(
    heard: list[Message], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, where: str | None
) -> None:
    """Checksums in requests, which many servers do not know, are sent only if the user has set it so."""
    if where == "environment":
        monkeypatch.setenv("AWS_REQUEST_CHECKSUM_CALCULATION", "when_supported")
    if where == "profile":
        (tmp_path / "config").write_text("[default]\nrequest_checksum_calculation = when_supported\n")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    request("put_object", Bucket=BUCKET, Key="a", Body=b"bytes")
    (headers,) = heard
    assert any("checksum" in name.lower() for name in headers) == (where is not None)


@pytest.mark.parametrize("fault", ["503", "500"])
def test_a_refused_request_is_made_once(behind_proxy: Store, proxy: FaultProxy, fault: str) -> None:
    """The client tries nothing again: how long that goes on is for the store to say."""
    request("put_object", Bucket=BUCKET, Key="once/a", Body=b"bytes")
    proxy.fault = lambda request: fault
    proxy.requests.clear()
    with pytest.raises(OSError, match=r"injected|Slow"):
        request("list_objects_v2", Bucket=BUCKET, Prefix="once")
    with pytest.raises(OSError, match=r"injected|Slow"):
        read(f"{BUCKET}/once/a", 0, 2)
    assert len(proxy.requests) == 2


def test_a_refusal_tells_its_code(behind_proxy: Store) -> None:
    """A bucket that is missing and an object that is are told apart by what S3 itself calls them."""
    with pytest.raises(FileNotFoundError) as no_bucket:
        request("list_objects_v2", Bucket="nowhere")
    with pytest.raises(FileNotFoundError) as no_object:
        request("get_object", Bucket=BUCKET, Key="nothing")
    assert (code_of(no_bucket.value), code_of(no_object.value)) == ("NoSuchBucket", "NoSuchKey")
    assert code_of(OSError()) == ""
