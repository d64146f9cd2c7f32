"""Keys of S3 are found wherever AWS's clients find them, a cloud machine's role included."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tasks.errors import UserError
from tasks.store.credentials import MACHINE_SECONDS, check_store_keys, hasty_session

KEYS = (
    '{"Code": "Success", "AccessKeyId": "a", "SecretAccessKey": "b", "Token": "c", '
    '"Expiration": "2100-01-01T00:00:00Z"}'
)


class Machine(BaseHTTPRequestHandler):
    """What a cloud tells its machines about themselves."""

    def do_PUT(self) -> None:
        """A token to ask with."""
        self.tell("token")

    def do_GET(self) -> None:
        """The role's name, and its keys."""
        self.tell("role" if self.path.endswith("/") else KEYS)

    def tell(self, text: str) -> None:
        """Answer."""
        self.send_response(200)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@contextmanager
def cloud() -> Iterator[int]:
    """A cloud's metadata service on loopback; its port."""
    with HTTPServer(("127.0.0.1", 0), Machine) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@contextmanager
def silence() -> Iterator[int]:
    """A port that takes requests and answers none."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """No keys but those of the machine."""
    names = ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_EC2_METADATA_DISABLED")
    for name in names:
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")


def test_a_machine_with_a_role_has_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a cloud's machine with a role nothing needs to be set."""
    with cloud() as port:
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", f"http://127.0.0.1:{port}/")
        check_store_keys("s3://bucket/prefix")


def test_a_machine_that_does_not_answer_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody answers for the machine the message names the variables to set."""
    with silence() as port:
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", f"http://127.0.0.1:{port}/")
        with pytest.raises(UserError, match="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"):
            check_store_keys("s3://bucket/prefix")


def test_a_folder_needs_none() -> None:
    """A store on this machine asks for no keys."""
    check_store_keys("/anywhere")


def test_a_machine_is_waited_for_as_long_as_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """The question for a role takes half of botocore's second, unless the user has set how long."""
    setting = "metadata_service_timeout"
    assert hasty_session().get_config_variable(setting) == MACHINE_SECONDS < 1
    monkeypatch.setenv("AWS_METADATA_SERVICE_TIMEOUT", "3")
    assert hasty_session().get_config_variable(setting) == 3
