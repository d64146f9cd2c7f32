"""Checkpoints that outlive the machine: linked aside in milliseconds, uploaded while training goes on.

`submit` hard-links the files that the Trainer just wrote into a spool folder, where the Trainer's own
rotation cannot delete them, and returns. A background thread hashes them and writes a manifest beside them
(from then on a restart on this machine can use them), uploads them, and prunes older checkpoints once the new
one is complete. One upload runs at a time; while it does, the newest checkpoint waits, and takes the place of
an older one that waits.

In the store: `<uri>/step-0000000500-1f2e3d4c/`, one folder an attempt, so that two attempts at the same step
never write into each other. What has no valid manifest, or does not hash to it, is passed over.
"""

import logging
import os
import re
import shutil
import threading
import time
from pathlib import Path
from typing import Protocol

from tasks.errors import DocsMlmError, IntegrityError, StoreError, UserError
from tasks.stage.log import stage_logger
from tasks.stage.target import Target
from tasks.store.folders import Store
from tasks.store.manifest import MANIFEST, Manifest, intact, stored_files

_NAME = re.compile(r"step-(\d{10})-[0-9a-f]{8}")


class CheckpointKeeper:
    """Keeps the newest `keep` checkpoints of one training at `uri` in the store.

    `spool` is a folder of this machine, best on the file system that the Trainer saves to: elsewhere `submit`
    copies instead of linking. It holds at most the checkpoint on its way, the one that waits and the last one
    committed. Files must not be changed in place after `submit`; deleting them is fine. With `wait`, `submit`
    first waits for the uploads before it, so that no checkpoint is skipped. Start no process by fork while
    one of these lives: the S3 client does not survive it.
    """

    def __init__(self, store: Store, uri: str, spool: Path, *, keep: int, wait: bool = False) -> None:
        self._store, self._uri, self._spool = store, uri, spool
        self._keep, self._wait = keep, wait
        # Taken here because a background thread has no Prefect context to find the run's logger in.
        self._log: logging.Logger | logging.LoggerAdapter[logging.Logger] = stage_logger()
        self._changed = threading.Condition()
        self._sealing: set[str] = set()
        self._queued: str | None = None
        self._uploading: str | None = None
        self._newest_submitted: str | None = None
        self._committed: list[str] = []
        self._damaged: set[str] = set()

    def submit(self, folder: Path, global_step: int) -> None:
        """Take over the files of `folder` and upload them in the background; returns in milliseconds.

        Raises:
            OSError: the files cannot be linked or copied into the spool, for example on a full disk.
        """
        name = f"step-{global_step:010d}-{os.urandom(4).hex()}"
        if self._wait:
            self._wait_until_idle(None)
        self._spool.mkdir(parents=True, exist_ok=True)
        try:
            # A folder that a kill leaves half linked counts for nothing, for it has no manifest.
            _link_files(folder, self._spool / name)
        except OSError:
            shutil.rmtree(self._spool / name, ignore_errors=True)
            raise
        self._start(name)

    def newest(self, into: Path) -> tuple[Path, int] | None:
        """The newest checkpoint whose bytes hold, as `into`/checkpoint-STEP, and its step, or None.

        One that lies whole in the spool is linked, any other downloaded. A damaged one is logged and the one
        before it taken.

        Raises:
            StoreError: there are checkpoints, but every one is damaged.
            NetworkError: the store does not answer.
        """
        stored = set(self._stored())
        found = sorted(stored | set(self._sealed()), key=_step, reverse=True)
        for name in found:
            destination = into / f"checkpoint-{_step(name)}"
            if self._take_local(name, destination):
                if name not in stored:
                    self._log.info("Found checkpoint %d on this machine only: uploading it", _step(name))
                    self._start(name)
                return destination, _step(name)
            if name not in stored:
                continue
            try:
                if self._store.inspect(f"{self._uri}/{name}") is None:
                    stored.discard(name)
                    continue
                return self._store.fetch(f"{self._uri}/{name}", destination), _step(name)
            except IntegrityError as error:
                self._damaged.add(name)
                self._log.warning("Checkpoint %d is damaged, trying the one before: %s", _step(name), error)
        if self._damaged:
            raise StoreError(
                f"all {len(self._damaged)} checkpoints at {self._uri} are damaged: "
                "start again with --train.resume fresh"
            )
        return None

    def discard(self) -> None:
        """Delete every checkpoint of this training, here and in the store; a failure is only logged."""
        with self._changed:
            self._queued = None
        self._wait_until_idle(None)
        shutil.rmtree(self._spool, ignore_errors=True)
        try:
            for name in self._store.folders(self._uri):
                self._store.remove(f"{self._uri}/{name}")
        except DocsMlmError as error:
            self._log.warning("Old checkpoints stay at %s: %s", self._uri, error)

    def close(self, timeout: float | None = None) -> bool:
        """Wait at most `timeout` seconds for the uploads; whether the last checkpoint is committed."""
        idle = self._wait_until_idle(timeout)
        return idle and (self._newest_submitted is None or self._newest_submitted in self._committed)

    def _start(self, name: str) -> None:
        with self._changed:
            self._sealing.add(name)
            if self._newest_submitted is None or _step(name) >= _step(self._newest_submitted):
                self._newest_submitted = name
        threading.Thread(target=self._work, args=(name,), name=f"checkpoint-{name}", daemon=True).start()

    def _work(self, name: str) -> None:
        """Seal one checkpoint and let it take the place of an older one that waits; then upload what waits.

        Whatever is raised here or in `_upload`, `finally` clears the way for the next checkpoint; what was
        not foreseen ends its own thread alone, through `threading.excepthook`.
        """
        sealed, older = False, None
        try:
            self._seal(name)
            sealed = True
        except OSError as error:
            self._log.error("Checkpoint %d is lost: %s. Training goes on.", _step(name), error)
        finally:
            with self._changed:
                self._sealing.discard(name)
                if sealed:
                    self._queued, older = name, self._queued
                    if older is not None and _step(older) > _step(name):
                        self._queued, older = older, name
                self._changed.notify_all()
        if older is not None:
            self._log.info("Checkpoint %d gives way to a newer one", _step(older))
            shutil.rmtree(self._spool / older, ignore_errors=True)
        self._upload_queued()

    def _upload_queued(self) -> None:
        with self._changed:
            if self._queued is None or self._uploading is not None:
                return
            name = self._uploading = self._queued
            self._queued = None
        try:
            self._upload(name)
        finally:
            with self._changed:
                self._uploading = None
                self._changed.notify_all()
                if self._queued is not None:
                    threading.Thread(target=self._upload_queued, daemon=True).start()

    def _seal(self, name: str) -> None:
        """Write the manifest that lets this machine trust its own copy, the last file of its folder."""
        folder = self._spool / name
        if not (folder / MANIFEST).exists():
            # One that a kill leaves torn vouches for nothing: its own hash does not hold.
            (folder / MANIFEST).write_bytes(self._manifest(name, folder).dump())

    def _manifest(self, name: str, folder: Path) -> Manifest:
        stage, _, key = self._uri.removeprefix(f"{self._store.url}/").partition("/")
        record = {"global_step": _step(name)}
        return Manifest(stage=stage, key=f"{key}/{name}", record=record, files=stored_files(folder))

    def _upload(self, name: str) -> None:
        folder, step, began = self._spool / name, _step(name), time.monotonic()
        try:
            manifest = Manifest.load((folder / MANIFEST).read_bytes())
            self._store.commit(folder, f"{self._uri}/{name}", manifest)
        except (DocsMlmError, OSError) as error:
            self._log.error(
                "Checkpoint %d is NOT in the store: %s. Training goes on; the next checkpoint tries again.",
                step,
                error,
            )
            return
        with self._changed:
            self._committed.append(name)
        size = sum(file.size for file in manifest.files)
        self._log.info("Stored checkpoint %d: %.0f MB, %.1f s", step, size / 1e6, time.monotonic() - began)
        try:
            self._prune()
        except (DocsMlmError, OSError) as error:
            self._log.warning("Older checkpoints stay at %s: %s", self._uri, error)

    def _prune(self) -> None:
        """Delete all but the newest complete checkpoints, now that a newer one is complete.

        This run's own come first: higher steps that it did not resume from are damaged or were declined.
        """
        complete = [n for n in self._stored() if n in self._committed or self._is_complete(n)]
        complete.sort(key=lambda n: (n in self._committed, _step(n)), reverse=True)
        for name in complete[self._keep :] + sorted(self._damaged):
            self._store.remove(f"{self._uri}/{name}")
            self._damaged.discard(name)
        with self._changed:
            kept = {*self._sealing, self._queued, self._uploading, self._committed[-1]}
        for name in self._sealed():
            if name not in kept:
                shutil.rmtree(self._spool / name, ignore_errors=True)

    def _is_complete(self, name: str) -> bool:
        return name not in self._damaged and self._store.manifest(f"{self._uri}/{name}") is not None

    def _stored(self) -> list[str]:
        return [name for name in self._store.folders(self._uri) if _NAME.fullmatch(name)]

    def _sealed(self) -> list[str]:
        return [path.parent.name for path in self._spool.glob(f"step-*/{MANIFEST}")]

    def _take_local(self, name: str, destination: Path) -> bool:
        """Link a checkpoint of the spool to `destination`, if it is there and its bytes hold."""
        folder = self._spool / name
        try:
            manifest = Manifest.load((folder / MANIFEST).read_bytes())
        except (OSError, IntegrityError):
            return False
        if not intact(folder, manifest.files):
            self._log.warning("Checkpoint %d on this machine is damaged: passed over", _step(name))
            shutil.rmtree(folder, ignore_errors=True)
            return False
        partial = destination.with_name(f".{destination.name}.{os.urandom(4).hex()}")
        _link_files(folder, partial)
        (partial / MANIFEST).unlink()
        shutil.rmtree(destination, ignore_errors=True)
        partial.rename(destination)
        return True

    def _wait_until_idle(self, timeout: float | None) -> bool:
        with self._changed:
            return self._changed.wait_for(
                lambda: not self._sealing and self._queued is None and self._uploading is None, timeout
            )


def _step(name: str) -> int:
    return int(name.split("-")[1])


def _link_files(source: Path, destination: Path) -> None:
    """Hard-link every file of `source` into the new folder `destination`, or copy where that cannot be."""
    for path in sorted(path for path in source.rglob("*") if path.is_file()):
        target = destination / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            target.hardlink_to(path)
        except OSError:
            shutil.copyfile(path, target)


def find_checkpoint(target: Target, keeper: CheckpointKeeper, resume: str, local: Path) -> Path | None:
    """The checkpoint to go on from, whole and verified in `local`, or None to begin.

    Raises:
        UserError: `resume` names no whole checkpoint of this run.
    """
    if resume == "fresh":
        keeper.discard()
        return None
    if resume == "auto":
        found = keeper.newest(local)
        return found[0] if found else None
    uri = resume.rstrip("/")
    name = named_checkpoint(target, uri)
    try:
        found_there = target.store.inspect(uri)
    except IntegrityError as error:
        raise UserError(
            f"train.resume {resume!r} cannot be gone on from ({error}): {_ways_out(target)}"
        ) from error
    if found_there is None:
        raise UserError(f"train.resume {resume!r} is no whole checkpoint of this store: {_ways_out(target)}")
    return target.store.fetch(uri, local / f"checkpoint-{_step(name)}")


def named_checkpoint(target: Target, uri: str) -> str:
    """The name of the checkpoint at `uri`, which must be one of this run's.

    Weights of another run under this run's key would be taken for its own by every later run.

    Raises:
        UserError: it is of another store or another run, or is no checkpoint's URI.
    """
    store = target.store
    if not uri.startswith(f"{store.url}/"):
        raise UserError(f"train.resume {uri!r} is not in this run's store {store.url}: {_ways_out(target)}")
    parts = uri.removeprefix(f"{store.url}/").split("/")
    if len(parts) != 3 or parts[0] != "checkpoints" or not _NAME.fullmatch(parts[2]):
        raise UserError(f"train.resume {uri!r} is no checkpoint's URI: {_ways_out(target)}")
    if parts[1] != target.key:
        raise UserError(
            f"train.resume {uri!r} is a checkpoint of the run {parts[1]}, but this run is {target.key}: its "
            f"data, model or settings are others. Run with that run's settings to go on with it, or "
            f"{_ways_out(target)}"
        )
    return parts[2]


def _ways_out(target: Target) -> str:
    return f"give auto, fresh, or {target.store.uri('checkpoints', target.key)}/step-…"


CLOSE_SECONDS = 25.0
"""How long an interrupted run waits for its last checkpoint's upload: SIGKILL follows SIGTERM after 30."""


class Keeper(Protocol):
    """Who keeps checkpoints safe: `CheckpointKeeper`, or in a child process one that tells its parent."""

    def submit(self, folder: Path, global_step: int) -> None:
        """Take over a checkpoint that was just written."""

    def close(self, timeout: float | None = None) -> bool:
        """Wait for what is under way."""


def store_in_time(keeper: Keeper) -> None:
    """Give the last checkpoint of a run that was asked to stop a while to reach the store."""
    if not keeper.close(timeout=CLOSE_SECONDS):
        stage_logger().warning(
            "The last checkpoint is not in the store, only in the work folder: run again on this machine"
        )
