"""A proxy before a Prefect server that is so busy that it says 503 to each kind of request some times."""

import re
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import httpx

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")


@contextmanager
def busy_server(api: str, times: int) -> Iterator[tuple[str, Counter[tuple[str, str]]]]:
    """Serve as the server at `api`; the API's URL, and how often it has said 503 to what."""
    refused: Counter[tuple[str, str]] = Counter()
    place = urlsplit(api)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.headers.get("Upgrade"):
                self.tunnel()
                return
            kind = (self.command, _ID.sub("ID", self.path))
            if self.command != "GET" and refused[kind] < times:
                refused[kind] += 1
                # As Prefect answers where SQLite says "database is locked"; a test has no minutes to wait.
                self.reply(503, b'{"exception_message": "Service Unavailable"}', {"Retry-After": "0"})
                return
            kept = {
                name: value
                for name, value in self.headers.items()
                if name.lower() not in ("host", "connection")
            }
            answer = httpx.request(
                self.command,
                f"{place.scheme}://{place.netloc}{self.path}",
                content=body,
                headers=kept,
                timeout=300,
            )
            self.reply(answer.status_code, answer.content, {"Content-Type": "application/json"})

        do_POST = do_PATCH = do_PUT = do_DELETE = do_GET

        def reply(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in (headers | {"Content-Length": str(len(body))}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def tunnel(self) -> None:
            """Pass the stream of events through, both ways."""
            with socket.create_connection((place.hostname or "", place.port or 80)) as upstream:
                head = [
                    f"{self.command} {self.path} HTTP/1.1",
                    *(f"{n}: {v}" for n, v in self.headers.items()),
                ]
                upstream.sendall("\r\n".join([*head, "", ""]).encode())
                back = threading.Thread(target=pump, args=(upstream, self.connection), daemon=True)
                back.start()
                pump(self.connection, upstream)
                back.join()
            self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}{place.path}", refused
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def pump(source: socket.socket, target: socket.socket) -> None:
    """Copy until the source ends."""
    with suppress(OSError):
        while piece := source.recv(65536):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)
