"""Checkpoints that outlive the machine: taken aside in milliseconds, uploaded while training goes on.

`submit` takes the files that the Trainer just wrote into the spool and returns. A background thread seals
them (from then on a restart on this machine can use them), uploads them, and prunes older checkpoints once
the new one is complete. One upload runs at a time; while it does, the newest checkpoint waits, and takes the
place of an older one that waits.

In the store: `<uri>/step-0000000500-1f2e3d4c/`, one folder an attempt, so that two attempts at the same step
never write into each other. What has no valid manifest, or does not hash to it, is passed over.
"""

import logging
import threading
import time
from pathlib import Path

from tasks.errors import DocsMlmError, IntegrityError, StoreError
from tasks.stage.log import stage_logger
from tasks.store.folders import Store
from tasks.training.spool import NAME, Spool, new_name, step_of


class CheckpointKeeper:
    """Keeps the newest `keep` checkpoints of one training at `uri` in the store.

    `spool` is a folder of this machine, best on the file system that the Trainer saves to: elsewhere `submit`
    copies instead of linking. It holds at most the checkpoint on its way, the one that waits and the last one
    committed. Files must not be changed in place after `submit`; deleting them is fine. With `wait`, `submit`
    first waits for the uploads before it, so that no checkpoint is skipped. Start no process by fork while
    one of these lives: the S3 client does not survive it.
    """

    def __init__(
        self,
        store: Store,
        uri: str,
        spool: Path,
        *,
        keep: int,
        wait: bool = False,
        setting: str = "train.resume",
    ) -> None:
        stage, _, key = uri.removeprefix(f"{store.url}/").partition("/")
        self._store, self._uri, self._spool = store, uri, Spool(spool, stage=stage, key=key)
        self._keep, self._wait, self._setting = keep, wait, setting
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
        name = new_name(global_step)
        if self._wait:
            self._wait_until_idle(None)
        self._spool.take(folder, name)
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
        found = sorted(stored | set(self._spool.sealed()), key=step_of, reverse=True)
        for name in found:
            destination = into / f"checkpoint-{step_of(name)}"
            if self._spool.give(name, destination):
                if name not in stored:
                    self._log.info("Found checkpoint %d on this machine only: uploading it", step_of(name))
                    self._start(name)
                return destination, step_of(name)
            if name not in stored:
                continue
            try:
                if self._store.inspect(f"{self._uri}/{name}") is None:
                    stored.discard(name)
                    continue
                return self._store.fetch(f"{self._uri}/{name}", destination), step_of(name)
            except IntegrityError as error:
                self._damaged.add(name)
                self._log.warning("Checkpoint %d is damaged, trying the one before: %s", step_of(name), error)
        if self._damaged:
            raise StoreError(
                f"all {len(self._damaged)} checkpoints at {self._uri} are damaged: "
                f"start again with --{self._setting} fresh"
            )
        return None

    def newest_step(self) -> int:
        """The step of the checkpoint that `newest` would take, by sizes alone, or 0; changes nothing."""
        stored = set(self._stored())
        for name in sorted(stored | set(self._spool.sealed()), key=step_of, reverse=True):
            if self._spool.holds(name) or (name in stored and self._is_complete(name)):
                return step_of(name)
        return 0

    def discard(self) -> None:
        """Delete every checkpoint of this training, here and in the store; a failure is only logged."""
        with self._changed:
            self._queued = None
        self._wait_until_idle(None)
        self._spool.clear()
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
            if self._newest_submitted is None or step_of(name) >= step_of(self._newest_submitted):
                self._newest_submitted = name
        threading.Thread(target=self._work, args=(name,), name=f"checkpoint-{name}", daemon=True).start()

    def _work(self, name: str) -> None:
        """Seal one checkpoint and let it take the place of an older one that waits; then upload what waits.

        Whatever is raised here or in `_upload`, `finally` clears the way for the next checkpoint; what was
        not foreseen ends its own thread alone, through `threading.excepthook`.
        """
        sealed, older = False, None
        try:
            self._spool.seal(name)
            sealed = True
        except OSError as error:
            self._log.error("Checkpoint %d is lost: %s. Training goes on.", step_of(name), error)
        finally:
            with self._changed:
                self._sealing.discard(name)
                if sealed:
                    self._queued, older = name, self._queued
                    if older is not None and step_of(older) > step_of(name):
                        self._queued, older = older, name
                self._changed.notify_all()
        if older is not None:
            self._log.info("Checkpoint %d gives way to a newer one", step_of(older))
            self._spool.remove(older)
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

    def _upload(self, name: str) -> None:
        step, began = step_of(name), time.monotonic()
        try:
            manifest = self._spool.manifest(name)
            self._store.commit(self._spool.path(name), f"{self._uri}/{name}", manifest)
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
        complete.sort(key=lambda n: (n in self._committed, step_of(n)), reverse=True)
        for name in complete[self._keep :] + sorted(self._damaged):
            self._store.remove(f"{self._uri}/{name}")
            self._damaged.discard(name)
        with self._changed:
            kept = {*self._sealing, self._queued, self._uploading, self._committed[-1]}
        for name in self._spool.sealed():
            if name not in kept:
                self._spool.remove(name)

    def _is_complete(self, name: str) -> bool:
        return name not in self._damaged and self._store.manifest(f"{self._uri}/{name}") is not None

    def _stored(self) -> list[str]:
        return [name for name in self._store.folders(self._uri) if NAME.fullmatch(name)]

    def _wait_until_idle(self, timeout: float | None) -> bool:
        with self._changed:
            return self._changed.wait_for(
                lambda: not self._sealing and self._queued is None and self._uploading is None, timeout
            )
