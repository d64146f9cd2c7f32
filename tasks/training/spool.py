"""Checkpoints on this machine: linked aside in milliseconds, and sealed, so that a restart can trust them.

The Trainer's own rotation deletes what it wrote, but not another name of the same files. A folder here counts
from its manifest on, which is its last file; what a kill leaves half linked or torn counts for nothing.
"""

import logging
import os
import re
import shutil
from pathlib import Path

from tasks.errors import IntegrityError
from tasks.stage.log import stage_logger
from tasks.store.manifest import MANIFEST, Manifest, intact, stored_files

NAME = re.compile(r"step-(\d{10})-[0-9a-f]{8}")
"""What a checkpoint's folder is called: its step, and chance, so that no two attempts share one."""


def new_name(global_step: int) -> str:
    """A name for one more attempt at a step."""
    return f"step-{global_step:010d}-{os.urandom(4).hex()}"


def step_of(name: str) -> int:
    """The step of the checkpoint that is called so."""
    return int(name.split("-")[1])


class Spool:
    """The checkpoints of one training in a folder of this machine, best on the Trainer's own file system.

    Elsewhere files are copied instead of linked. `stage` and `key` are the training's in the store.
    """

    def __init__(self, folder: Path, *, stage: str, key: str) -> None:
        self._folder, self._stage, self._key = folder, stage, key
        # Taken here because a background thread has no Prefect context to find the run's logger in.
        self._log: logging.Logger | logging.LoggerAdapter[logging.Logger] = stage_logger()

    def path(self, name: str) -> Path:
        """The folder of one checkpoint."""
        return self._folder / name

    def sealed(self) -> list[str]:
        """The checkpoints that have a manifest."""
        names = [path.parent.name for path in self._folder.glob(f"step-*/{MANIFEST}")]
        return [name for name in names if NAME.fullmatch(name)]

    def take(self, folder: Path, name: str) -> None:
        """Link the files of `folder` as the checkpoint `name`.

        Raises:
            OSError: they cannot be linked or copied, for example on a full disk.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            link_files(folder, self.path(name))
        except OSError:
            self.remove(name)
            raise

    def seal(self, name: str) -> None:
        """Write the manifest that lets this machine trust its own copy, the last file of its folder.

        Raises:
            OSError: it cannot be written.
        """
        folder = self.path(name)
        if not (folder / MANIFEST).exists():
            manifest = Manifest(
                stage=self._stage,
                key=f"{self._key}/{name}",
                record={"global_step": step_of(name)},
                files=stored_files(folder),
            )
            # One that a kill leaves torn vouches for nothing: its own hash does not hold.
            (folder / MANIFEST).write_bytes(manifest.dump())

    def manifest(self, name: str) -> Manifest:
        """The manifest of a sealed checkpoint.

        Raises:
            IntegrityError: it is torn or altered, or is another checkpoint's.
            OSError: it cannot be read.
        """
        manifest = Manifest.load((self.path(name) / MANIFEST).read_bytes())
        if (manifest.stage, manifest.key) != (self._stage, f"{self._key}/{name}"):
            raise IntegrityError(f"the manifest of {name} belongs to {manifest.stage}/{manifest.key}")
        return manifest

    def holds(self, name: str) -> bool:
        """Whether a checkpoint lies here whole, by its sizes: its bytes are hashed when it is given."""
        try:
            files = self.manifest(name).files
            return all((self.path(name) / file.name).stat().st_size == file.size for file in files)
        except (OSError, IntegrityError):
            return False

    def give(self, name: str, destination: Path) -> bool:
        """Link a checkpoint to `destination`, if it is there and its bytes hold; a damaged one is deleted."""
        try:
            manifest = self.manifest(name)
        except (OSError, IntegrityError):
            return False
        if not intact(self.path(name), manifest.files):
            self._log.warning("Checkpoint %d on this machine is damaged: passed over", step_of(name))
            self.remove(name)
            return False
        partial = destination.with_name(f".{destination.name}.{os.urandom(4).hex()}")
        link_files(self.path(name), partial)
        (partial / MANIFEST).unlink()
        shutil.rmtree(destination, ignore_errors=True)
        partial.rename(destination)
        return True

    def remove(self, name: str) -> None:
        """Delete one checkpoint."""
        shutil.rmtree(self.path(name), ignore_errors=True)

    def clear(self) -> None:
        """Delete all of them."""
        shutil.rmtree(self._folder, ignore_errors=True)


def link_files(source: Path, destination: Path) -> None:
    """Hard-link every file of `source` into the new folder `destination`, or copy where that cannot be."""
    for path in sorted(path for path in source.rglob("*") if path.is_file()):
        target = destination / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            target.hardlink_to(path)
        except OSError:
            shutil.copyfile(path, target)
