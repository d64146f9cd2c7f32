"""A part of an S3 bucket: one request at a time, each tried again by itself within a set time."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

from botocore.exceptions import EndpointConnectionError

from tasks.errors import AwayStoreError, MissingStoreError
from tasks.store.faults import Truncated, persist
from tasks.store.refusals import code_of
from tasks.store.s3_client import endpoint, read, request

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Bucket:
    """The objects of `name` whose keys begin with `prefix`; paths are relative to that.

    Only the raw answers tell a bucket that is missing from an object that is.
    """

    name: str
    prefix: str
    """Empty, or with `/` at its end."""
    patience: float
    """Seconds for which a request is tried again."""

    def call(self, method: str, **arguments: Any) -> Any:
        """The answer to one request.

        Raises:
            MissingStoreError: there is no such bucket.
        """
        try:
            return self._persist(lambda: request(method, Bucket=self.name, **arguments))
        except FileNotFoundError as error:
            # A listing names no object, so that none can be missing: the address was taken for one.
            if method == "list_objects_v2" and (hint := self._hint()):
                raise MissingStoreError(hint) from error
            raise

    def call_once(self, method: str, **arguments: Any) -> Any:
        """The answer to a request that is not worth a second attempt."""
        return request(method, Bucket=self.name, **arguments)

    def read(self, path: str, start: int = 0, end: int | None = None) -> bytes:
        """The bytes [start, end) of an object; all of them without an end.

        Raises:
            MissingStoreError: there is no such bucket.
        """

        def get() -> bytes:
            asked = {} if end is None else {"start": start, "end": end}
            content = read(f"{self.name}/{self.key(path)}", **asked)
            if end is not None and len(content) != end - start:
                raise Truncated(f"{len(content)} of {end - start} bytes arrived")
            return content

        return self._persist(get)

    def pages(self, method: str, **arguments: Any) -> Iterator[Any]:
        """The answers to a request that lists, one after the other."""
        while True:
            page = self.call(method, **arguments)
            yield page
            if not page.get("IsTruncated"):
                return
            if method == "list_objects_v2":
                arguments["ContinuationToken"] = page["NextContinuationToken"]
            else:
                arguments["KeyMarker"] = page["NextKeyMarker"]
                arguments["UploadIdMarker"] = page["NextUploadIdMarker"]

    def key(self, path: str) -> str:
        """The key of the object at `path`."""
        return self.prefix + path

    def below(self, path: str) -> str:
        """What the keys below the folder `path` begin with."""
        return f"{self.prefix}{path}/" if path else self.prefix

    def _persist(self, call: Callable[[], T]) -> T:
        try:
            return persist(call, patience=self.patience)
        except FileNotFoundError as error:
            if code_of(error) == "NoSuchBucket":
                raise MissingStoreError(
                    self._hint()
                    or f"there is no bucket {self.name!r}: create it, or choose another with --store"
                ) from error
            raise
        except EndpointConnectionError as error:
            if hint := self._hint():
                raise AwayStoreError(hint) from error
            raise

    def _hint(self) -> str:
        """What to say where the endpoint names the bucket, which the client puts there itself; or nothing."""
        place = urlsplit(endpoint())
        if not (place.hostname or "").startswith(f"{self.name}.") and self.name not in place.path.split("/"):
            return ""
        return (
            f"the store s3://{self.name} cannot be reached at {place.hostname}{place.path}, which has the "
            f"bucket {self.name!r} in it: leave the bucket out of AWS_ENDPOINT_URL"
        )
