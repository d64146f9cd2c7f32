"""A real S3 server on loopback for tests (`rclone serve s3`), and a proxy before it that makes faults.

    with s3_server(folder) as server, fault_proxy(server) as proxy:
        proxy.fault = lambda request: "503" if request.method == "PUT" else None

Each bucket is a folder under `server.root`, so that a test can look at, alter and delete what is stored.
"""

import os
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

KEY, SECRET = "docs-mlm-test-key", "docs-mlm-test-secret"
BUCKET = "docs"


@dataclass(kw_only=True)
class S3Server:
    """A running server, or the proxy before one."""

    port: int
    root: Path
    """Its buckets, as folders."""
    remembers_s: float = 0.001
    """How long it remembers what a folder holds; where that is short, a timer a folder keeps it busy."""
    certificate: Path | None = None
    """Of a server that speaks TLS: what a client must trust."""

    @property
    def environment(self) -> dict[str, str]:
        """What a client needs in its environment."""
        trusted = {"AWS_CA_BUNDLE": str(self.certificate)} if self.certificate is not None else {}
        return trusted | {
            "AWS_ENDPOINT_URL": f"http{'s' * bool(trusted)}://127.0.0.1:{self.port}",
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
            # No other account of whoever runs the tests.
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    def url(self, prefix: str = "store") -> str:
        """A store's URL in the bucket that is there from the beginning."""
        return f"s3://{BUCKET}/{prefix}"

    def notice(self) -> None:
        """Have the server see what a test altered behind its back: it remembers nothing older then."""
        time.sleep(1.5 * self.remembers_s)


@contextmanager
def s3_server(
    root: Path, *, port: int | None = None, tls: bool = False, remembers_s: float = 0.001
) -> Iterator[S3Server]:
    """Serve the folders under `root` as buckets, and stop at the end; the bucket `docs` is made.

    Most tests alter stored files behind the server's back, so that it remembers folders for a moment only.
    With `tls` over https alone, with a certificate of the server's own that nobody else vouches for.
    """
    (root / BUCKET).mkdir(parents=True, exist_ok=True)
    server = S3Server(port=port or _free_port(), root=root, remembers_s=remembers_s)
    command = [str(Path(sys.executable).with_name("rclone")), "serve", "s3", str(root)]
    command += ["--dir-cache-time", f"{remembers_s}s"]
    command += ["--addr", f"127.0.0.1:{server.port}", "--auth-key", f"{KEY},{SECRET}"]
    if tls:
        server.certificate, key = make_certificate(root.parent)
        command += ["--cert", str(server.certificate), "--key", str(key)]
    log = root.parent / f"rclone-{server.port}.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command, env=os.environ | {"RCLONE_CONFIG": os.devnull}, stdout=stream, stderr=stream
        )
    try:
        _wait_for(server.port, process, log)
        yield server
    finally:
        process.kill()
        process.wait()


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a fault rule can see of a request."""

    method: str
    target: str
    """Path and query, as in the request line."""
    number: int
    """Counts requests through the proxy, from 1."""
    headers: dict[str, str] = field(default_factory=dict)
    """By their names in small letters."""


@dataclass(kw_only=True)
class FaultProxy(S3Server):
    """Forwards to a server, except where `fault` names one of the faults below for a request.

    - `500`, `503`, or a status and an S3 code such as `429 TooManyRequests`: answer so, without asking the
      server (503 as `SlowDown`)
    - `reset`: break the connection; `reset-after`: let the server do it, break before the answer
    - `stall`: take nothing more and answer nothing
    - `truncate`: end the answer's body half-way; `shorten`: send half of it as if it were all; `flip`:
      change one bit of it
    """

    fault: Callable[[Request], str | None] = field(default=lambda request: None)
    away: bool = False
    """Refuse every connection, as a server that is down."""
    requests: list[Request] = field(default_factory=list)
    delay_s_per_mb: float = 0.0
    """Slows bodies down, each way."""


@contextmanager
def fault_proxy(server: S3Server) -> Iterator[FaultProxy]:
    """A proxy before `server`, on its own port."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        proxy = FaultProxy(port=listener.getsockname()[1], root=server.root, remembers_s=server.remembers_s)
        ended = threading.Event()

        def serve() -> None:
            while not ended.is_set():
                with suppress(OSError):
                    connection, _ = listener.accept()
                    threading.Thread(
                        target=_serve, args=(connection, server.port, proxy, ended), daemon=True
                    ).start()

        threading.Thread(target=serve, daemon=True).start()
        try:
            yield proxy
        finally:
            ended.set()
            with suppress(OSError):  # wakes `accept`
                socket.create_connection(("127.0.0.1", proxy.port), 1).close()


class _Broken(Exception):
    """The connection is to be broken, with a reset."""


def _serve(connection: socket.socket, port: int, proxy: FaultProxy, ended: threading.Event) -> None:
    """Forward the requests of one connection, each over a connection of its own to the server."""
    with connection, connection.makefile("rb") as reading:
        try:
            while not ended.is_set() and (line := reading.readline()):
                headers = [line]
                while (header := reading.readline()) not in (b"\r\n", b""):
                    headers.append(header)
                _forward(connection, reading, headers, port, proxy, ended)
        except _Broken:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        except OSError:
            return


def _forward(connection, reading, headers, port, proxy, ended) -> None:
    method, target, _ = headers[0].decode("latin-1").split(" ", 2)
    names = {h.split(b":", 1)[0].strip().lower(): h.split(b":", 1)[1].strip() for h in headers[1:]}
    told = {name.decode("latin-1"): value.decode("latin-1") for name, value in names.items()}
    request = Request(method=method, target=target, number=len(proxy.requests) + 1, headers=told)
    proxy.requests.append(request)
    if proxy.away:
        raise _Broken
    fault = proxy.fault(request)
    if fault == "reset":
        raise _Broken
    if fault == "stall":
        ended.wait(300)
        raise _Broken
    if names.get(b"expect", b"").lower() == b"100-continue":
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    length = int(names.get(b"content-length", b"0"))
    if fault is not None and fault[:3].isdigit():
        _copy(reading, None, length, proxy)
        status, _, code = fault.partition(" ")
        code = code or {"500": "InternalError", "503": "SlowDown"}[status]
        body = f"<Error><Code>{code}</Code><Message>injected</Message></Error>".encode()
        head = (
            f"HTTP/1.1 {status} Fault\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        connection.sendall(head.encode() + (b"" if method == "HEAD" else body))
        return
    kept = [h for h in headers[1:] if not h.lower().startswith((b"expect:", b"connection:"))]
    with socket.create_connection(("127.0.0.1", port), 30) as upstream:
        upstream.sendall(b"".join([headers[0], *kept, b"Connection: close\r\n\r\n"]))
        _copy(reading, upstream, length, proxy)
        with upstream.makefile("rb") as answering:
            answer = [answering.readline()]
            while (header := answering.readline()) not in (b"\r\n", b""):
                answer.append(header)
            answer = [h for h in answer if not h.lower().startswith(b"connection:")]
            if fault == "reset-after":
                raise _Broken
            _answer(connection, answering, answer, method, fault, proxy)


def _answer(connection, answering, answer, method, fault, proxy) -> None:
    lengths = [int(h.split(b":")[1]) for h in answer[1:] if h.lower().startswith(b"content-length:")]
    has_body = method != "HEAD" and answer[0].split()[1] not in (b"204", b"304")
    if has_body and not lengths:  # ended by the server's close: send it whole, with its length
        body = _unchunked(answering) if any(b"chunked" in h.lower() for h in answer) else answering.read()
        answer = [h for h in answer if not h.lower().startswith(b"transfer-encoding:")]
        connection.sendall(b"".join([*answer, b"Content-Length: %d\r\n\r\n" % len(body), body]))
        return
    if fault == "shorten":
        answer = [h for h in answer if not h.lower().startswith(b"content-length:")]
        half = lengths[0] // 2
        connection.sendall(b"".join([*answer, b"Content-Length: %d\r\n\r\n" % half, answering.read(half)]))
        return
    connection.sendall(b"".join([*answer, b"\r\n"]))
    if not has_body:
        return
    length = lengths[0]
    if fault == "truncate":
        _copy(answering, connection, length // 2, proxy)
        raise _Broken
    if fault == "flip" and length:
        body = bytearray(answering.read(length))
        body[random.randrange(length)] ^= 1
        connection.sendall(body)
        return
    _copy(answering, connection, length, proxy)


def _copy(source, target: socket.socket | None, length: int, proxy: FaultProxy) -> None:
    while length:
        block = source.read1(min(length, 1 << 16))
        if not block:
            raise _Broken
        length -= len(block)
        if proxy.delay_s_per_mb:
            time.sleep(proxy.delay_s_per_mb * len(block) / 1e6)
        if target is not None:
            target.sendall(block)


def _unchunked(stream) -> bytes:
    body = b""
    while size := int(stream.readline().split(b";")[0], 16):
        body += stream.read(size)
        stream.readline()
    return body


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that vouches for itself, for a day, and its key, as files in `folder`."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a server of the tests")])
    own = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder(subject_name=name, issuer_name=name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(own, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / f"{certificate.serial_number:x}.crt", folder / f"{certificate.serial_number:x}.key"
    files[0].write_bytes(certificate.public_bytes(Encoding.PEM))
    files[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return files


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(150):
        if process.poll() is not None:
            break
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        time.sleep(0.1)
    raise RuntimeError(f"the S3 server did not start: {log.read_text()[-500:]}")
