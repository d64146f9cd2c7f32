"""Objects in an S3 bucket: every upload is looked at afterwards, for S3 knows no rename and no lock.

Below it are `s3_parts.py` (files by bounded parts, and their ETags), `s3_bucket.py` (requests that are tried
again within a set time) and `s3_client.py` (the client, and one request).
"""

import hashlib
import random
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tasks.errors import StoreError
from tasks.store import s3_parts
from tasks.store.manifest import MANIFEST, Manifest, StoredFile
from tasks.store.objects import Entry
from tasks.store.parallel import each
from tasks.store.refusals import code_of
from tasks.store.s3_bucket import Bucket

FILES = 4
"""Files on their way at once."""
_ROUNDS = 24
"""Looks at a folder that is being committed; three are enough where nobody else writes."""


class S3Objects:
    """Objects under `bucket/prefix`, with the meaning of `tasks.store.objects.Objects`."""

    exclusive = False  # two of four kinds of server take the condition and ignore it

    def __init__(self, root: str, *, patience: float) -> None:
        name, _, prefix = root.partition("/")
        self._bucket = Bucket(name, f"{prefix}/" if prefix else "", patience)

    def check(self) -> None:
        """See that the bucket is there and the credentials are good."""
        self._bucket.call("list_objects_v2", Prefix=self._bucket.prefix, MaxKeys=1)

    def read(self, path: str) -> bytes:
        """All bytes of an object."""
        return self._bucket.read(path)

    def write(self, path: str, content: bytes, *, only_new: bool = False) -> None:
        """Write an object in one piece; `only_new` is honoured by servers with conditional writes alone."""
        condition = {"IfNoneMatch": "*"} if only_new else {}
        try:
            self._bucket.call("put_object", Key=self._bucket.key(path), Body=content, **condition)
        except OSError as error:
            if only_new and code_of(error) in ("PreconditionFailed", "ConditionalRequestConflict"):
                raise FileExistsError(path) from error
            raise

    def download(self, path: str, local: Path, size: int) -> None:
        """Copy an object to the file `local`, several ranges at once."""
        s3_parts.download(self._bucket, path, local, size)

    def sha256(self, path: str, size: int) -> str:
        """The SHA-256 of an object's bytes, which are read but not kept."""
        digest = hashlib.sha256()
        for start, end in s3_parts.ranges(size):
            digest.update(self._bucket.read(path, start, end))
        return digest.hexdigest()

    def entries(self, path: str) -> dict[str, Entry]:
        """Every object below `path`, by its name relative to it; always a fresh listing."""
        return self._entries(path)

    def _entries(self, path: str, **how: str) -> dict[str, Entry]:
        top = self._bucket.below(path)
        return {
            item["Key"].removeprefix(top): Entry(
                size=item["Size"], modified=item["LastModified"].timestamp(), etag=item["ETag"].strip('"')
            )
            for page in self._bucket.pages("list_objects_v2", Prefix=top, **how)
            for item in page.get("Contents", [])
        }

    def own(self, path: str, *, deep: bool = True) -> dict[str, Entry]:
        """As `entries`, for there are no links here; not `deep`, only what lies directly below `path`."""
        return self._entries(path) if deep else self._entries(path, Delimiter="/")

    def folders(self, path: str) -> list[str]:
        """The names of the folders directly under `path`."""
        top = self._bucket.below(path)
        pages = self._bucket.pages("list_objects_v2", Prefix=top, Delimiter="/")
        shared = [item["Prefix"] for page in pages for item in page.get("CommonPrefixes", [])]
        return [name.removeprefix(top).rstrip("/") for name in shared]

    def remove(self, path: str) -> None:
        """Delete one object, if it is there."""
        self._bucket.call("delete_object", Key=self._bucket.key(path))

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

        def send(file: StoredFile) -> None:
            local = folder / file.name
            sent[file.name] = s3_parts.upload(self._bucket, f"{path}/{file.name}", local, file, told)

        spent, clashes, paused = 0.0, 0, False
        for _ in range(_ROUNDS):
            there = self.entries(path)
            ours = {f.name for f in manifest.files if _is_ours(folder, f, there.get(f.name), sent)}
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
                each(send, late, threads=FILES)
                spent, paused = time.monotonic() - began, False
        raise StoreError(
            f"s3://{self._bucket.name}/{self._bucket.key(path)} does not keep what is written to it: "
            "see whether another run writes there, and run again"
        )

    def unfinished(
        self, is_own: Callable[[str], bool], older_than: float, *, remove: bool
    ) -> dict[str, float]:
        """Multipart uploads begun long ago and never finished; they cost money and show in no listing."""
        found: dict[str, float] = {}
        # Some servers say so where a bucket has never had an upload, and one may end while we look.
        with suppress(FileNotFoundError):
            for page in self._bucket.pages("list_multipart_uploads", Prefix=self._bucket.prefix):
                for upload in page.get("Uploads", []):
                    age = time.time() - upload["Initiated"].timestamp()
                    name = upload["Key"].removeprefix(self._bucket.prefix)
                    if age > older_than and is_own(name):
                        found[name] = age
                        if remove:
                            s3_parts.abort(self._bucket, upload["Key"], upload["UploadId"])
        return found


def _is_ours(folder: Path, file: StoredFile, entry: Entry | None, sent: dict[str, str]) -> bool:
    """Whether the object is the local file: by the ETag that its upload returned, or by its MD5."""
    if entry is None or entry.size != file.size:
        return False
    return entry.etag == sent.get(file.name) or entry.etag == s3_parts.etag_of(folder / file.name, entry.etag)


def _agrees(theirs: Manifest, mine: Manifest, ours: set[str]) -> bool:
    """Whether `theirs` is true of what is stored, where `ours` names the objects that are my bytes."""
    digests = {file.name: file.sha256 for file in mine.files}
    return all(
        (digests[file.name] == file.sha256) == (file.name in ours)
        for file in theirs.files
        if file.name in digests
    )
