"""Real Git servers on loopback for tests: smart HTTP through `git http-backend`, and what goes wrong there.

with GitServer(folder, allow_filter=True) as server:
    url = server.url("docs.git")        # serves folder/docs.git
"""

import base64
import os
import subprocess
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Request:
    """One request that the server answered."""

    method: str
    path: str
    status: int
    sent: int
    """Bytes of the answer's body."""
    authorization: str | None


@dataclass
class GitServer:
    """A smart HTTP server for the bare repositories in `root`."""

    root: Path
    allow_filter: bool = True
    protocol_2: bool = True
    user: str | None = None
    """With `password`: Basic authentication is asked for."""
    password: str | None = None
    cut_after: int | None = None
    """Break each connection after so many bytes of an answer's body."""
    cut_from_request: int = 0
    """The number of the fetch request (a POST, counted from 0) from which connections are cut."""
    stall: bool = False
    """Take fetch requests and never answer."""
    bytes_per_second: int | None = None
    """How fast the answers to fetch requests are sent."""
    status: int | None = None
    """Answer everything with this status."""
    redirect_to: str | None = None
    """Send every request on to this base URL."""
    redirect_logged_in: bool = False
    """Only those that bring the password: the others are asked for it."""
    requests: list[Request] = field(default_factory=list)
    posts: int = 0

    def __enter__(self) -> Self:
        self._closing = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        """The port on 127.0.0.1."""
        return int(self._server.server_address[1])

    def url(self, name: str) -> str:
        """The URL of the repository `name` under the root."""
        return f"http://127.0.0.1:{self.port}/{name}"

    @property
    def sent(self) -> int:
        """Bytes of all answers so far."""
        return sum(request.sent for request in self.requests)

    def forget(self) -> None:
        """Count from zero again."""
        self.requests.clear()
        self.posts = 0

    def wait(self, seconds: float) -> bool:
        """Wait, at most until the server closes; whether it did."""
        return self._closing.wait(seconds)


def _handler_of(server: GitServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(b"")

        def do_POST(self) -> None:
            body = self._body()
            number, server.posts = server.posts, server.posts + 1
            if server.stall:
                server.wait(600)
                self.close_connection = True
                return
            cut = server.cut_after if number >= server.cut_from_request else None
            self._answer(body, cut=cut, rate=server.bytes_per_second)

        def log_message(self, format: str, *args: object) -> None:
            return

        def _answer(self, body: bytes, cut: int | None = None, rate: int | None = None) -> None:
            if server.status is not None:
                self._reply(server.status, {}, b"")
            elif server.redirect_to is not None and (not server.redirect_logged_in or self._is_authorized()):
                self._reply(302, {"Location": server.redirect_to + self.path}, b"")
            elif server.password is not None and not self._is_authorized():
                self._reply(401, {"WWW-Authenticate": 'Basic realm="docs"'}, b"")
            else:
                status, headers, answer = self._backend(body)
                self._reply(status, headers, answer, cut, rate)

        def _is_authorized(self) -> bool:
            pair = f"{server.user}:{server.password}".encode()
            return self.headers.get("Authorization") == "Basic " + base64.b64encode(pair).decode()

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") == "chunked":
                chunks = []
                while size := int(self.rfile.readline(), 16):
                    chunks.append(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
                return b"".join(chunks)
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))

        def _backend(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
            parts = urlsplit(self.path)
            settings = {
                "uploadpack.allowFilter": str(server.allow_filter).lower(),
                "protocol.version": "2" if server.protocol_2 else "0",
                "safe.directory": "*",
            }
            environment = {
                "PATH": os.environ["PATH"],
                "GIT_PROJECT_ROOT": str(server.root),
                "GIT_HTTP_EXPORT_ALL": "1",
                "GIT_CONFIG_NOSYSTEM": "1",
                "HOME": "/nonexistent",
                "REQUEST_METHOD": self.command,
                "PATH_INFO": parts.path,
                "QUERY_STRING": parts.query,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(body)),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "REMOTE_USER": server.user or "",
                "GIT_CONFIG_COUNT": str(len(settings)),
            }
            if server.protocol_2:
                environment["GIT_PROTOCOL"] = self.headers.get("Git-Protocol", "")
            for index, (name, value) in enumerate(settings.items()):
                environment |= {f"GIT_CONFIG_KEY_{index}": name, f"GIT_CONFIG_VALUE_{index}": value}
            done = subprocess.run(
                ["git", "http-backend"], input=body, env=environment, capture_output=True, check=False
            )
            head, _, answer = done.stdout.partition(b"\r\n\r\n")
            headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
            return int(headers.pop("Status", "200 OK").split()[0]), headers, answer

        def _reply(
            self,
            status: int,
            headers: dict[str, str],
            answer: bytes,
            cut: int | None = None,
            rate: int | None = None,
        ) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            part = answer if cut is None else answer[:cut]
            sent = 0
            try:
                while sent < len(part):
                    step = len(part) if rate is None else max(1, rate // 10)
                    self.wfile.write(part[sent : sent + step])
                    sent = min(len(part), sent + step)
                    if rate is not None and server.wait(0.1):
                        break
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True
            if sent < len(answer):
                self.close_connection = True
            authorization = self.headers.get("Authorization")
            server.requests.append(Request(self.command, self.path, status, sent, authorization))

    return Handler


def git(folder: Path, *arguments: str, stdin: bytes = b"") -> str:
    """Run git in `folder` as its own person, and give its output."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "GIT_CONFIG_NOSYSTEM": "1",
        **{f"GIT_{who}_{what}": value
           for who in ("AUTHOR", "COMMITTER")
           for what, value in (("NAME", "A"), ("EMAIL", "a@example.com"), ("DATE", "1700000000 +0000"))},
    }  # fmt: skip
    done = subprocess.run(
        ["git", *arguments], cwd=folder, input=stdin, env=environment, capture_output=True, check=True
    )
    return done.stdout.decode("utf-8", "surrogateescape").strip()


def make_repository(path: Path, *commits: dict[str, bytes | str]) -> str:
    """A bare repository at `path`, branch main, one commit for each mapping of paths to contents.

    Each commit's tree is the one before with these files written over it. Returns the last commit's id.
    """
    path.mkdir(parents=True)
    git(path, "init", "--bare", "--quiet", "-b", "main")
    for files in commits:
        add_commit(path, files)
    return git(path, "rev-parse", "main") if commits else ""


def add_commit(path: Path, files: dict[str, bytes | str], branch: str = "main") -> str:
    """Write `files` over the newest tree of `branch` as a new commit, and give its id."""
    parent = f"from refs/heads/{branch}^0\n" if f"refs/heads/{branch}" in git(path, "for-each-ref") else ""
    person = "committer A <a@example.com> 1700000000 +0000"
    stream = [f"commit refs/heads/{branch}\n{person}\ndata 1\nx\n{parent}".encode()]
    for name, content in files.items():
        raw = content.encode() if isinstance(content, str) else content
        stream.append(f'M 100644 inline "{name}"\ndata {len(raw)}\n'.encode() + raw + b"\n")
    git(path, "fast-import", "--quiet", stdin=b"".join(stream))
    return git(path, "rev-parse", f"refs/heads/{branch}")
