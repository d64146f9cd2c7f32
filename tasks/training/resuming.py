"""Which checkpoint a run goes on from: the newest, none, or one of its own that is named."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from tasks.errors import IntegrityError, UserError
from tasks.stage.target import Target
from tasks.training.checkpoints import CheckpointKeeper
from tasks.training.spool import NAME, step_of

SETTING = "train.resume"
"""The setting that names a checkpoint, for messages."""


class Resumable(Protocol):
    """What is chosen of a training's checkpoints."""

    @property
    def save_total_limit(self) -> int:
        """The newest that stay."""

    @property
    def resume(self) -> str:
        """auto, fresh, or a checkpoint's URI."""


def keeper_of(target: Target, keep: int, setting: str = SETTING) -> CheckpointKeeper:
    """Who keeps a training's checkpoints, on this machine and in the store: the newest `keep` of them."""
    return CheckpointKeeper(
        target.store,
        target.store.uri("checkpoints", target.key),
        target.scratch("spool", target.key),
        keep=keep,
        setting=setting,
    )


@contextmanager
def kept_checkpoints(
    target: Target, keep: int, setting: str = SETTING
) -> Iterator[tuple[Path, CheckpointKeeper]]:
    """Within, an empty folder of this machine for a training's checkpoints, and who keeps them.

    Both are cleared at the end, when the store vouches for the training's result; not if it raised.
    """
    local, keeper = target.scratch("checkpoints", target.key), keeper_of(target, keep, setting)
    shutil.rmtree(local, ignore_errors=True)
    local.mkdir(parents=True)
    yield local, keeper
    keeper.close()
    # Only now is there nothing left to resume here.
    shutil.rmtree(local, ignore_errors=True)
    shutil.rmtree(target.scratch("spool", target.key), ignore_errors=True)


def find_checkpoint(
    target: Target, keeper: CheckpointKeeper, resume: str, local: Path, setting: str = SETTING
) -> Path | None:
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
    uri, name = whole_checkpoint(target, resume, setting)
    return target.store.fetch(uri, local / f"checkpoint-{step_of(name)}")


def step_to_go_on_from(target: Target, settings: Resumable, setting: str = SETTING) -> int:
    """The step of the checkpoint that a training has or was given, 0 for none; changes nothing.

    Raises:
        UserError: `settings.resume` names no whole checkpoint of it.
    """
    keeper = keeper_of(target, settings.save_total_limit, setting)
    return first_step(target, keeper, settings.resume, setting)


def first_step(target: Target, keeper: CheckpointKeeper, resume: str, setting: str = SETTING) -> int:
    """The step of the checkpoint that is there, or is named: with `fresh` the one that is left; 0 for none.

    Changes nothing, and fetches nothing: of bytes only the number is looked at.

    Raises:
        UserError: `resume` names no whole checkpoint of this run.
    """
    if resume in ("auto", "fresh"):
        return keeper.newest_step()
    return step_of(whole_checkpoint(target, resume, setting)[1])


def whole_checkpoint(target: Target, resume: str, setting: str = SETTING) -> tuple[str, str]:
    """URI and name of the checkpoint that `resume` names.

    Raises:
        UserError: it is no whole checkpoint of this run.
    """
    uri = resume.rstrip("/")
    name = named_checkpoint(target, uri, setting)
    try:
        found_there = target.store.inspect(uri)
    except IntegrityError as error:
        raise UserError(
            f"{setting} {resume!r} cannot be gone on from ({error}): {_ways_out(target)}"
        ) from error
    if found_there is None:
        raise UserError(f"{setting} {resume!r} is no whole checkpoint of this store: {_ways_out(target)}")
    return uri, name


def named_checkpoint(target: Target, uri: str, setting: str = SETTING) -> str:
    """The name of the checkpoint at `uri`, which must be one of this run's.

    Weights of another run under this run's key would be taken for its own by every later run.

    Raises:
        UserError: it is of another store or another run, or is no checkpoint's URI.
    """
    store = target.store
    if not uri.startswith(f"{store.url}/"):
        raise UserError(f"{setting} {uri!r} is not in this run's store {store.url}: {_ways_out(target)}")
    parts = uri.removeprefix(f"{store.url}/").split("/")
    if len(parts) != 3 or parts[0] != "checkpoints" or not NAME.fullmatch(parts[2]):
        raise UserError(f"{setting} {uri!r} is no checkpoint's URI: {_ways_out(target)}")
    if parts[1] != target.key:
        raise UserError(
            f"{setting} {uri!r} is a checkpoint of the run {parts[1]}, but this run is {target.key}: its "
            f"data, model or settings are others. Run with that run's settings to go on with it, or "
            f"{_ways_out(target)}"
        )
    return parts[2]


def _ways_out(target: Target) -> str:
    return f"give auto, fresh, or {target.store.uri('checkpoints', target.key)}/step-…"
