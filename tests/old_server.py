"""A server that answers for Prefect's version, and fails whoever asks for more."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@contextmanager
def old_server(version: Any, asked: list[str] | None = None, *, away: bool = False) -> Iterator[str]:
    """Serve as Prefect of this version does; the API's URL, and into `asked` goes what else was asked for.

    Where it is `away` it says 503 to everything, as what stands before a server that is down.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = {} if away else {"/api/admin/version": version, "/api/health": True}
            if self.path not in known and asked is not None:
                asked.append(self.path)
            self.send_response(200 if self.path in known else 503 if away else 422)
            self.send_header("Retry-After", "0")
            self.end_headers()
            self.wfile.write(json.dumps(known.get(self.path, {"detail": "x" * 10_000})).encode())

        do_POST = do_GET

        def log_message(self, format: str, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/api"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
