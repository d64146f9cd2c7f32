"""What a stage is to make: its result's key and place, and how it gets there, whole or not at all."""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from tasks.errors import DocsMlmError, StoreError
from tasks.machine import is_disk_full
from tasks.records import DocsSnapshot, Record
from tasks.stage.log import stage_logger
from tasks.stage.progress import current_bar, watched
from tasks.store.folders import Store
from tasks.store.manifest import Manifest

R = TypeVar("R", bound=Record)
_LOG_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The result of one stage of a plan: what it is called, where it lies, and whether it must be made."""

    stage: str
    key: str
    uri: str
    action: Literal["reuse", "run"]
    why: str
    """In a user's words: what was found, or what changed."""
    store_url: str
    work_dir: str
    settings: dict[str, Any] = field(default_factory=dict)
    """What went into the key, for the manifest."""
    record: dict[str, Any] | None = None
    """The stored record of a stage that is reused."""
    first_step: int = 0
    """Of a training that must run: the step of the checkpoint that it would go on from."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Shared by the targets of a plan: what each stage took that was made here, filled as the run goes on."""

    @property
    def store(self) -> Store:
        """The store that holds the result."""
        return Store(self.store_url)

    def scratch(self, *parts: str) -> Path:
        """A place under the work folder; may vanish between runs."""
        return Path(self.work_dir).joinpath(*parts)

    def fetch(self, parent: Record) -> Path:
        """A verified local copy of an earlier stage's files, kept in the work folder."""
        return self.store.fetch(parent.uri, self.scratch("fetched", parent.stage, parent.key))

    def fetch_sources(self, snapshot: DocsSnapshot) -> dict[str, Path]:
        """Copies of the snapshots that have the bytes of one, by what their documents' paths begin with.

        Of a joint one those are its parts. Any that the store has no more is left out, with a warning.
        """
        keys = {f"{part['name']}:": part["key"] for part in snapshot.parts} or {"": snapshot.key}
        found = {}
        for before, key in keys.items():
            uri = self.store.uri(snapshot.stage, key)
            if self.store.manifest(uri) is None:
                stage_logger().warning("%s is not there any more", uri)
                continue
            found[before] = self.store.fetch(uri, self.scratch("fetched", snapshot.stage, key))
        return found

    @contextmanager
    def building(self) -> Iterator[Path]:
        """A fresh scratch folder for the result, removed afterwards.

        Raises:
            StoreError: there is no space left for it.
        """
        self.scratch("building").mkdir(parents=True, exist_ok=True)
        name = tempfile.mkdtemp(dir=self.scratch("building"), prefix=f"{self.stage}-{self.key[:8]}-")
        try:
            yield Path(name)
        except Exception as error:
            if isinstance(error, DocsMlmError) or not is_disk_full(error):
                raise
            raise StoreError(
                f"no space left in the work folder {self.work_dir}: free some, or choose another with "
                "--work-dir, then run again"
            ) from error
        finally:
            shutil.rmtree(name, ignore_errors=True)

    def alone(self) -> AbstractContextManager[None]:
        """Keep other runs from the same work meanwhile: they wait. Machines that train together do not."""
        return nullcontext() if self.settings.get("nodes", 1) > 1 else self.store.lease(self.uri)

    def stored_record(self) -> dict[str, Any] | None:
        """The result's record if the store has it by now, whoever made it."""
        manifest = self.store.manifest(self.uri)
        return manifest.record if manifest else None

    def made(self) -> dict[str, Any]:
        """The result's record, of a target that was reused or has run, in whatever process.

        Raises:
            StoreError: the store does not have it.
        """
        record = self.record or self.stored_record()
        if record is None:
            raise StoreError(f"nothing complete is stored at {self.uri}: run again")
        return record

    def commit(
        self, folder: Path, record: type[R], counts: Mapping[str, Any], *, of: Sequence[Record] = ()
    ) -> R:
        """Commit `folder` as the result, made of the results `of`, and return its record.

        Args:
            counts: the record's fields but its place and key.
            of: the parents; their own ancestors are added from their manifests, so the chain stays whole.
        """
        chain: dict[str, dict[str, Any]] = {}
        for parent in of:
            if above := self.store.manifest(parent.uri):
                chain |= above.ancestors
        manifest = Manifest(
            stage=self.stage,
            key=self.key,
            record=record(uri=self.uri, key=self.key, **counts).as_json(),
            ancestors=chain | {parent.stage: parent.as_json() for parent in of},
            settings=self.settings,
        )
        written = self.store.commit(folder, self.uri, manifest, told=_upload_told(folder))
        return record.from_json(written.record)


def _upload_told(folder: Path) -> Callable[[int], None]:
    """What moves the stage's bar while `folder` is uploaded, told of the bytes that have just gone."""
    bar, move, log, gone = current_bar(), watched("upload"), stage_logger(), 0
    total = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    logged = time.monotonic()

    def told(count: int) -> None:
        # Called by threads; a figure that is off for a moment does no harm.
        nonlocal gone, logged
        gone += count
        words = f"Stored {min(gone, total) / 1e6:,.1f} of {total / 1e6:,.1f} MB"
        share = min(1.0, gone / max(total, 1))
        move(words, 100.0 * share)
        if bar is not None:
            bar.tell(words, share)
        if time.monotonic() - logged >= _LOG_SECONDS:
            logged = time.monotonic()
            log.info(words)

    return told
