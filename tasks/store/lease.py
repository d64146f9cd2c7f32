"""A lease: who works on a result at the moment, so that two runs do not do the same work twice.

It is an object `<stage>/<key>.lease` with its holder and expiry, which a thread renews while the holder
lives. Commits are safe without it. On a local file system it is exact, save when two runs find the same dead
holder's lease; on S3 it is exact where the server honours conditional writes, and elsewhere two runs that
begin within a second of each other may both get it. Expiry goes by the wall clock, so the machines' clocks
should agree to some seconds. A holder that died on this machine is seen at once, another one when its lease
has run out.
"""

import json
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

from tasks.errors import DocsMlmError, StoreError
from tasks.store.objects import Objects

TTL = 60.0
"""Seconds that a lease outlives its last renewal."""
_SETTLE = 0.5
"""Seconds between writing over an expired lease and looking whether another did the same."""
_POLL = 1.0
_RELEASE = 5.0
"""Seconds that giving a lease back may hold up its holder."""
_LOG = logging.getLogger("docs_mlm")
Explained = Callable[[str], AbstractContextManager[None]]


@contextmanager
def lease(
    objects: Objects, path: str, explained: Explained, *, timeout: float | None = None
) -> Iterator[None]:
    """Hold the lease of `path`, waiting for another holder at most `timeout` seconds, or for ever.

    Raises:
        StoreError: another run held it all that time.
    """
    name, me = f"{path}.lease", {"machine": _machine(), "pid": os.getpid(), "id": os.urandom(8).hex()}
    end = None if timeout is None else time.monotonic() + timeout
    told = False
    while not _take(objects, name, me, explained):
        if end is not None and time.monotonic() >= end:
            raise StoreError(f"another run is still at work on {path}: wait for it, or stop it")
        if not told:
            _LOG.warning("Another run is at work on %s: waiting for it", path)
            told = True
        time.sleep(_POLL)
    done = threading.Event()
    renewer = threading.Thread(target=_renew, args=(objects, name, me, explained, done), daemon=True)
    renewer.start()

    def release() -> None:
        done.set()
        renewer.join()
        with suppress(DocsMlmError), explained("written"):
            if _is_mine(_read(objects, name), me):
                objects.remove(name)

    try:
        yield
    finally:
        # A run that is stopping does not wait for a store that is away: the lease runs out by itself.
        releaser = threading.Thread(target=release, daemon=True)
        releaser.start()
        releaser.join(_RELEASE)


def _take(objects: Objects, name: str, me: dict[str, Any], explained: Explained) -> bool:
    """Try once to get the lease."""
    with explained("written"):
        held = _read(objects, name)
        if _is_live(held) and not _is_mine(held, me):
            return False
        try:
            objects.write(name, _content(me), only_new=held is None)
        except FileExistsError:
            return _is_mine(_read(objects, name), me)  # a lost answer to our own write looks like a loss
        if held is None and objects.exclusive:
            return True
        time.sleep(_SETTLE)
        return _is_mine(_read(objects, name), me)


def _renew(
    objects: Objects, name: str, me: dict[str, Any], explained: Explained, done: threading.Event
) -> None:
    while not done.wait(TTL / 4):
        try:
            with explained("written"):
                if not _is_mine(_read(objects, name), me):
                    _LOG.warning("Another run took over %s; both go on, and the first to finish counts", name)
                    return
                objects.write(name, _content(me))
        except DocsMlmError as error:
            _LOG.warning("The lease %s could not be renewed: %s", name, error)


def _content(me: dict[str, Any]) -> bytes:
    return json.dumps(me | {"expires": time.time() + TTL}).encode()


def _read(objects: Objects, name: str) -> dict[str, Any] | None:
    try:
        loaded = json.loads(objects.read(name))
    except FileNotFoundError:
        return None
    except ValueError:
        return {}
    return loaded if isinstance(loaded, dict) else {}


def _is_mine(held: dict[str, Any] | None, me: dict[str, Any]) -> bool:
    return held is not None and held.get("id") == me["id"]


def _is_live(held: dict[str, Any] | None) -> bool:
    if not held or not isinstance(held.get("expires"), int | float) or held["expires"] < time.time():
        return False
    return held.get("machine") != _machine() or _runs(held.get("pid"))


def _runs(pid: Any) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, TypeError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _machine() -> str:
    """This boot of this machine, and its process-id namespace: containers have their own."""
    parts = [socket.gethostname()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return " ".join(parts)
