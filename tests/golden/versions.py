"""`versions.json`: by stage and version, what it makes of the golden documents. It is only ever added to."""

import json
from pathlib import Path
from typing import Any

from tests.golden.making import Made

FILE = Path(__file__).parent / "versions.json"
Versions = dict[str, dict[str, dict[str, Any]]]


def read() -> Versions:
    """What is pinned."""
    found: Versions = json.loads(FILE.read_text(encoding="utf-8")) if FILE.is_file() else {}
    return found


def added(pinned: Versions, name: str, version: int, made: Made) -> Versions:
    """The same with a stage's present version.

    Raises:
        SystemExit: that version is pinned to another result.
    """
    known = pinned.get(name, {}).get(str(version))
    if known is not None and known["digest"] != made.digest:
        raise SystemExit(
            f"version {version} of {name} is pinned to another result: raise `version` where it is declared"
        )
    entry: dict[str, Any] = known or {"digest": made.digest, **({"near": made.near} if made.near else {})}
    return pinned | {name: pinned.get(name, {}) | {str(version): entry}}


def write(pinned: Versions) -> None:
    """Keep what is pinned."""
    FILE.write_text(json.dumps(pinned, indent=1, sort_keys=True) + "\n", encoding="utf-8")
