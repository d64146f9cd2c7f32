"""A team hears of a run that failed, once it has named the block that is to tell it."""

import json
import threading
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.prefect_server import PrefectServer
from tests.waiting import until

NAME = "docs-mlm-notify"


class Receiver:
    """A web server that keeps what it is sent, as a team's chat would."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                receiver.messages.append(self.rfile.read(length).decode())
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.place = f"127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver that listens."""
    made = Receiver()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


def make_block(server: PrefectServer, kind: str, **data: str) -> str:
    """Make a block as the UI does; its `type/name`."""
    type_id = server.get(f"/block_types/slug/{kind}")["id"]
    chosen = {"block_schemas": {"block_type_id": {"any_": [type_id]}}}
    name = f"team-{uuid.uuid4().hex[:8]}"
    (schema, *_) = server.post("/block_schemas/filter", chosen)
    ids = {"block_type_id": type_id, "block_schema_id": schema["id"]}
    server.post("/block_documents/", {"name": name, "data": data} | ids)
    return f"{kind}/{name}"


def ended(server: PrefectServer, state: str, message: str, *, name: str | None = None) -> str:
    """A run of a deployment that no worker took, and that ended in this state; its id."""
    deployment = server.deployment("docs-mlm/nightly")
    run = server.post(f"/deployments/{deployment['id']}/create_flow_run", {"state": {"type": "PENDING"}})
    told = {"type": state, "message": message} | ({"name": name} if name else {})
    server.post(f"/flow_runs/{run['id']}/set_state", {"state": told, "force": True})
    return run["id"]


def automations(server: PrefectServer) -> list[str]:
    """The names of all that are installed."""
    return sorted(entry["name"] for entry in server.post("/automations/filter", {}))


@pytest.mark.parametrize("kind", ["slack-webhook", "webhook"])
def test_a_failed_run_is_told_of(kind, server, receiver):
    """Its name, its message, its address and the command to look at it; a crash, which resumes, is not."""
    url = f"json://{receiver.place}" if kind == "slack-webhook" else f"http://{receiver.place}"
    block = make_block(server, kind, url=url)
    assert f"Installed the automation {NAME}" in server.make("automations", DOCS_MLM_NOTIFY_BLOCK=block)
    # A crash is only tried here: what resumes it would have no worker.
    crashed = ended(server, "CRASHED", "its machine is gone")
    cancelled = ended(server, "CANCELLED", "by a person")
    failed = ended(server, "FAILED", 'none of 3 documents is left: see "filter"\nand more')
    late = ended(server, "FAILED", "it took too long", name="TimedOut")
    until(lambda: len(receiver.messages) >= 2)
    told = "\n".join(receiver.messages)
    for id_, state, words in (
        (failed, "Failed", "none of 3 documents is left"),
        (late, "TimedOut", "too long"),
    ):
        (message,) = [one for one in receiver.messages if id_ in one]
        text = json.loads(message)["message" if kind == "slack-webhook" else "text"]
        subject = json.loads(message)["title" if kind == "slack-webhook" else "subject"]
        name = server.run(id_)["name"]
        assert subject == f"docs-mlm: {name} {state}"
        assert text.startswith(f"docs-mlm/nightly, run {name}: {state}\n")
        assert words in text
        assert f"{server.url}/runs/flow-run/{id_}" in text
        assert text.rstrip().endswith(f"prefect flow-run logs {id_}")
    assert (crashed in told, cancelled in told, len(receiver.messages)) == (False, False, 2)

    server.make("automations")
    assert NAME in automations(server), "not named is not ended"
    assert f"Removed the automation {NAME}" in server.make("automations", DOCS_MLM_NOTIFY_BLOCK="")
    assert NAME not in automations(server)
    for id_ in (crashed, failed):
        server.call("DELETE", f"/flow_runs/{id_}")


@pytest.mark.parametrize("block", ["slack-webhook/nobody", "no-such-type/team", "team", "/", "secret/word"])
def test_a_block_that_cannot_tell_is_refused(block, server):
    """One line names the variable, the value and the way out, and nothing is installed."""
    if block == "secret/word":
        block = make_block(server, "secret", value="a word")
    with pytest.raises(RuntimeError) as raised:
        server.make("automations", DOCS_MLM_NOTIFY_BLOCK=block)
    (line, *_) = [line for line in str(raised.value).splitlines() if line.startswith("error: ")]
    assert line.startswith(f"error: DOCS_MLM_NOTIFY_BLOCK is {block!r}")
    assert "slack-webhook/team" in line
    assert "Traceback" not in str(raised.value)
    assert NAME not in automations(server)
