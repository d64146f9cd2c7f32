"""Files in an S3 bucket, large ones by bounded parts; and what S3 calls a content, computed here.

Each part of a large file is sent and fetched by a request of its own, so that a fault costs one part.
"""

import functools
import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from botocore.exceptions import BotoCoreError

from tasks.errors import StoreError
from tasks.store.manifest import StoredFile
from tasks.store.parallel import each
from tasks.store.s3_bucket import Bucket

PART = 48 << 20
"""Bytes in one part of a large file. Some servers hash a whole file for each range of it, so not smaller."""
PARTS = 4
"""Parts of one file on their way at once."""
_FLOWS = threading.BoundedSemaphore(8)
"""Parts on their way at once in this process, so that transfers take some 0.4 GB of memory at most."""


def ranges(size: int) -> Iterator[tuple[int, int]]:
    """Where each part of `size` bytes starts and ends."""
    return ((start, min(start + PART, size)) for start in range(0, size, PART))


def download(bucket: Bucket, path: str, local: Path, size: int) -> None:
    """Copy an object of `size` bytes to the file `local`, several ranges at once."""
    with local.open("wb") as stream:
        descriptor = stream.fileno()

        def copy(part: tuple[int, int]) -> None:
            with _FLOWS:
                os.pwrite(descriptor, bucket.read(path, *part), part[0])

        each(copy, ranges(size), threads=PARTS)


def upload(bucket: Bucket, path: str, local: Path, file: StoredFile, told: Callable[[int], None]) -> str:
    """Send the file `local` to `path` and return its ETag; `told` hears of each part that has gone.

    Raises:
        StoreError: the file changed since it was hashed.
    """
    if local.stat().st_size != file.size:
        raise StoreError(f"{local} was changed while it was being stored: run again")
    if file.size >= 2 * PART:
        return _upload_parts(bucket, bucket.key(path), local, file.size, told)
    answer = bucket.call("put_object", Key=bucket.key(path), Body=local.read_bytes())
    told(file.size)
    return str(answer["ETag"]).strip('"')


def _upload_parts(bucket: Bucket, key: str, local: Path, size: int, told: Callable[[int], None]) -> str:
    named = {"Key": key, "UploadId": bucket.call("create_multipart_upload", Key=key)["UploadId"]}
    etags: dict[int, str] = {}
    with local.open("rb") as stream:

        def send(part: tuple[int, tuple[int, int]]) -> None:
            number, (start, end) = part
            with _FLOWS:
                body = os.pread(stream.fileno(), end - start, start)
                etags[number] = bucket.call("upload_part", **named, PartNumber=number, Body=body)["ETag"]
            told(len(body))

        try:
            each(send, enumerate(ranges(size), start=1), threads=PARTS)
            parts = [{"PartNumber": number, "ETag": etags[number]} for number in sorted(etags)]
            answer = bucket.call("complete_multipart_upload", **named, MultipartUpload={"Parts": parts})
        except FileNotFoundError:
            # The answer to an earlier attempt was lost, or the upload was: the next listing tells.
            return ""
        except BaseException:
            # Whatever it was, Ctrl-C too: parts of an upload that nobody ends cost money. Best effort,
            # for the store may be away, and sweep finds what stays.
            given_up = (bucket, key, named["UploadId"])
            threading.Thread(target=abort, args=given_up, daemon=True).start()
            raise
    return str(answer["ETag"]).strip('"')


def abort(bucket: Bucket, key: str, upload_id: str) -> None:
    """End an unfinished upload, where the store can be asked to."""
    try:
        bucket.call_once("abort_multipart_upload", Key=key, UploadId=upload_id)
    except (OSError, BotoCoreError):
        return


def etag_of(path: Path, like: str) -> str:
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
