"""Objects in an S3 bucket, through s3fs: bounded parts, own retries, and every upload looked at afterwards.

s3fs signs, connects and runs the event loop; the requests are made here one by one, because each part of a
large file is then retried by itself within a set time, and because only the raw answers tell a bucket that
is missing from an object that is. Endpoint, keys and region come from the environment (AWS_*), as for any
client.
"""

import functools
import hashlib
import os
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import s3fs
from aiobotocore.session import AioSession
from botocore.exceptions import BotoCoreError, ClientError
from botocore.handlers import add_expect_header

from tasks.errors import MissingStoreError, StoreError
from tasks.store.faults import Truncated, persist
from tasks.store.manifest import MANIFEST, Manifest, StoredFile
from tasks.store.objects import Entry
from tasks.store.parallel import each

PART = 48 << 20
"""Bytes in one part of a large file. Some servers hash a whole file for each range of it, so not smaller."""
FILES = 4
PARTS = 4
_FLOWS = threading.BoundedSemaphore(8)
"""Parts on their way at once in this process, so that transfers take some 0.4 GB of memory at most."""
_ROUNDS = 24
"""Looks at a folder that is being committed; three are enough where nobody else writes."""
_STALL = 30
"""Seconds without a byte after which a connection counts as dead."""

T = TypeVar("T")


class S3Objects:
    """Objects under `bucket/prefix`, with the meaning of `tasks.store.objects.Objects`."""

    exclusive = False  # two of four kinds of server take the condition and ignore it

    def __init__(self, root: str, *, patience: float) -> None:
        self._bucket, _, prefix = root.partition("/")
        self._prefix = f"{prefix}/" if prefix else ""
        self._patience = patience

    def check(self) -> None:
        """See that the bucket is there and the credentials are good."""
        self._call("list_objects_v2", Prefix=self._prefix, MaxKeys=1)

    def read(self, path: str) -> bytes:
        """All bytes of an object."""
        return self._get(path)

    def write(self, path: str, content: bytes, *, only_new: bool = False) -> None:
        """Write an object in one piece; `only_new` is honoured by servers with conditional writes alone."""
        condition = {"IfNoneMatch": "*"} if only_new else {}
        try:
            self._call("put_object", Key=self._prefix + path, Body=content, **condition)
        except OSError as error:
            if only_new and _code(error) in ("PreconditionFailed", "ConditionalRequestConflict"):
                raise FileExistsError(path) from error
            raise

    def download(self, path: str, local: Path, size: int) -> None:
        """Copy an object to the file `local`, several ranges at once."""
        with local.open("wb") as stream:
            descriptor = stream.fileno()

            def copy(start: int) -> None:
                with _FLOWS:
                    os.pwrite(descriptor, self._get(path, start, min(start + PART, size)), start)

            each(copy, range(0, size, PART), threads=PARTS)

    def sha256(self, path: str, size: int) -> str:
        """The SHA-256 of an object's bytes, which are read but not kept."""
        digest = hashlib.sha256()
        for start in range(0, size, PART):
            digest.update(self._get(path, start, min(start + PART, size)))
        return digest.hexdigest()

    def entries(self, path: str) -> dict[str, Entry]:
        """Every object below `path`, by its name relative to it; always a fresh listing."""
        top = self._below(path)
        return {
            item["Key"].removeprefix(top): Entry(
                size=item["Size"], modified=item["LastModified"].timestamp(), etag=item["ETag"].strip('"')
            )
            for page in self._pages("list_objects_v2", Prefix=top)
            for item in page.get("Contents", [])
        }

    def folders(self, path: str) -> list[str]:
        """The names of the folders directly under `path`."""
        top = self._below(path)
        pages = self._pages("list_objects_v2", Prefix=top, Delimiter="/")
        shared = [item["Prefix"] for page in pages for item in page.get("CommonPrefixes", [])]
        return [name.removeprefix(top).rstrip("/") for name in shared]

    def remove(self, path: str) -> None:
        """Delete one object, if it is there."""
        self._call("delete_object", Key=self._prefix + path)

    def remove_below(self, path: str) -> None:
        """Delete a folder with its manifest first, so that no reader takes the rest for whole."""
        names = self.entries(path)
        if names.pop(MANIFEST, None):
            self.remove(f"{path}/{MANIFEST}")
        each(lambda name: self.remove(f"{path}/{name}"), names, threads=FILES)

    def commit(
        self,
        folder: Path,
        path: str,
        manifest: Manifest,
        stands: Callable[[dict[str, Entry] | None], Manifest | None],
        told: Callable[[int], None],
    ) -> Manifest:
        """Put the files of `folder` at `path`, look whether they are there, and then write the manifest.

        A file that is already there, by size and ETag, is not sent again, so a commit that was cut off goes
        on file by file. Each round begins with a fresh listing: should another run write other bytes to the
        same place meanwhile, the round sees it and either yields to that run's manifest or puts its own files
        back, until one manifest and its files agree. The last look comes after the manifest is written.
        """
        sent: dict[str, str] = {}
        spent, clashes, paused = 0.0, 0, False
        for _ in range(_ROUNDS):
            there = self.entries(path)
            ours = {f.name for f in manifest.files if self._is_ours(folder, f, there.get(f.name), sent)}
            theirs = stands(there) if MANIFEST in there else None
            if theirs is not None and _agrees(theirs, manifest, ours):
                return theirs
            late = [file for file in manifest.files if file.name not in ours]
            if not late:
                self.write(f"{path}/{MANIFEST}", manifest.dump())
            elif sent and not paused:
                # Another run put its bytes over ours: one of the two must stay away for long enough.
                clashes, paused = clashes + 1, True
                # On a busy machine the other's upload may take many times as long as ours, so a little more.
                time.sleep(random.uniform(0, (spent + 0.25) * 2 ** min(clashes, 4)))
            else:
                began = time.monotonic()
                each(
                    lambda f: sent.update({f.name: self._upload(folder, path, f, told)}), late, threads=FILES
                )
                spent, paused = time.monotonic() - began, False
        raise StoreError(
            f"s3://{self._bucket}/{self._prefix}{path} does not keep what is written to it: "
            "see whether another run writes there, and run again"
        )

    def unfinished(self, path: str, older_than: float, *, remove: bool) -> dict[str, float]:
        """Multipart uploads begun long ago and never finished; they cost money and show in no listing."""
        found: dict[str, float] = {}
        # Some servers say so where a bucket has never had an upload, and one may end while we look.
        with suppress(FileNotFoundError):
            for page in self._pages("list_multipart_uploads", Prefix=self._below(path)):
                for upload in page.get("Uploads", []):
                    age = time.time() - upload["Initiated"].timestamp()
                    if age > older_than:
                        found[upload["Key"].removeprefix(self._prefix)] = age
                        if remove:
                            self._abort(upload["Key"], upload["UploadId"])
        return found

    def _is_ours(self, folder: Path, file: StoredFile, entry: Entry | None, sent: dict[str, str]) -> bool:
        """Whether the object is the local file: by the ETag that its upload returned, or by its MD5."""
        if entry is None or entry.size != file.size:
            return False
        return entry.etag == sent.get(file.name) or entry.etag == _etag(folder / file.name, entry.etag)

    def _upload(self, folder: Path, path: str, file: StoredFile, told: Callable[[int], None]) -> str:
        """Send one file and return its ETag; `told` hears of each part that has gone.

        Raises:
            StoreError: the file changed since it was hashed.
        """
        local, key = folder / file.name, self._prefix + f"{path}/{file.name}"
        if local.stat().st_size != file.size:
            raise StoreError(f"{local} was changed while it was being stored: run again")
        with local.open("rb") as stream:
            if file.size < 2 * PART:
                answer = self._call("put_object", Key=key, Body=stream.read())
                told(file.size)
                return str(answer["ETag"]).strip('"')
            upload = self._call("create_multipart_upload", Key=key)["UploadId"]
            etags: dict[int, str] = {}

            def send(number: int) -> None:
                with _FLOWS:
                    body = os.pread(stream.fileno(), PART, (number - 1) * PART)
                    answer = self._call("upload_part", Key=key, UploadId=upload, PartNumber=number, Body=body)
                etags[number] = answer["ETag"]
                told(len(body))

            try:
                each(send, range(1, -(-file.size // PART) + 1), threads=PARTS)
                parts = [{"PartNumber": number, "ETag": etags[number]} for number in sorted(etags)]
                answer = self._call(
                    "complete_multipart_upload", Key=key, UploadId=upload, MultipartUpload={"Parts": parts}
                )
            except FileNotFoundError:
                # The answer to an earlier attempt was lost, or the upload was: the next listing tells.
                return ""
            except BaseException:
                # Whatever it was, Ctrl-C too: parts of an upload that nobody ends cost money. Best effort,
                # for the store may be away, and sweep finds what stays.
                threading.Thread(target=self._abort, args=(key, upload), daemon=True).start()
                raise
        return str(answer["ETag"]).strip('"')

    def _abort(self, key: str, upload: str) -> None:
        try:
            _request("abort_multipart_upload", Bucket=self._bucket, Key=key, UploadId=upload)
        except (OSError, BotoCoreError):
            return

    def _get(self, path: str, start: int = 0, end: int | None = None) -> bytes:
        """The bytes [start, end) of an object; all of them without an end."""

        def get() -> bytes:
            asked = {} if end is None else {"start": start, "end": end}
            content: bytes = _client().cat_file(name, max_concurrency=1, **asked)
            if end is not None and len(content) != end - start:
                raise Truncated(f"{len(content)} of {end - start} bytes arrived")
            return content

        name = f"{self._bucket}/{self._prefix}{path}"
        return self._persist(get)

    def _pages(self, method: str, **arguments: Any) -> Iterator[Any]:
        while True:
            page = self._call(method, **arguments)
            yield page
            if not page.get("IsTruncated"):
                return
            if method == "list_objects_v2":
                arguments["ContinuationToken"] = page["NextContinuationToken"]
            else:
                arguments["KeyMarker"] = page["NextKeyMarker"]
                arguments["UploadIdMarker"] = page["NextUploadIdMarker"]

    def _call(self, method: str, **arguments: Any) -> Any:
        return self._persist(lambda: _request(method, Bucket=self._bucket, **arguments))

    def _persist(self, call: Callable[[], T]) -> T:
        try:
            return persist(call, patience=self._patience)
        except FileNotFoundError as error:
            if _code(error) == "NoSuchBucket":
                raise MissingStoreError(
                    f"there is no bucket {self._bucket!r}: create it, or choose another with --store"
                ) from error
            raise

    def _below(self, path: str) -> str:
        return f"{self._prefix}{path}/" if path else self._prefix


def _request(method: str, **arguments: Any) -> Any:
    return _client().call_s3(method, **arguments)


def _client() -> s3fs.S3FileSystem:
    """The client for this process and the credentials that are in the environment now."""
    return _made_client(os.getpid(), tuple(sorted(i for i in os.environ.items() if i[0].startswith("AWS_"))))


@functools.lru_cache(maxsize=8)
def _made_client(_process: int, _environment: tuple[tuple[str, str], ...]) -> s3fs.S3FileSystem:
    session = AioSession()
    # With this header the client waits for the server's "continue", and it does so without a time limit.
    session.unregister("before-call.s3", add_expect_header)
    client = s3fs.S3FileSystem(
        session=session,
        skip_instance_cache=True,
        config_kwargs={
            "connect_timeout": 10,
            "read_timeout": _STALL,
            "max_pool_connections": 2 * FILES * PARTS,
            "retries": {"total_max_attempts": 1},  # `persist` tries again
            # Some servers answer a range with the checksum of the whole; what is read is hashed here anyway.
            "response_checksum_validation": "when_required",
            "connector_args": {"socket_factory": _socket},
        },
    )
    client.retries = 1
    return client


def _socket(address: Any) -> socket.socket:
    """A socket that fails when the other side takes nothing for a while; the client times reads only."""
    made = socket.socket(family=address[0], type=address[1], proto=address[2])
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _STALL * 1000)
    return made


def _agrees(theirs: Manifest, mine: Manifest, ours: set[str]) -> bool:
    """Whether `theirs` is true of what is stored, where `ours` names the objects that are my bytes."""
    digests = {file.name: file.sha256 for file in mine.files}
    return all(
        (digests[file.name] == file.sha256) == (file.name in ours)
        for file in theirs.files
        if file.name in digests
    )


def _code(error: BaseException) -> str:
    cause = error.__cause__
    return str(cause.response["Error"].get("Code")) if isinstance(cause, ClientError) else ""


def _etag(path: Path, like: str) -> str:
    """The ETag that an MD5-naming server would give to a file, whole or by parts as `like` was made."""
    status = path.stat()
    return _computed_etag(path, status.st_size, status.st_mtime_ns, "-" in like)


@functools.lru_cache(maxsize=256)
def _computed_etag(path: Path, _size: int, _changed: int, by_parts: bool) -> str:
    whole = hashlib.md5(usedforsecurity=False)
    digests: list[bytes] = []
    with path.open("rb") as stream:
        while block := stream.read(PART):
            if by_parts:
                digests.append(hashlib.md5(block, usedforsecurity=False).digest())
            else:
                whole.update(block)
    if not by_parts:
        return whole.hexdigest()
    return f"{hashlib.md5(b''.join(digests), usedforsecurity=False).hexdigest()}-{len(digests)}"
