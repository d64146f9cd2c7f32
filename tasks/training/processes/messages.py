"""What a process that trains tells the one that started it, over one connection."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Progress:
    """A log point."""

    point: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Said:
    """A line for the log."""

    level: int
    words: str


@dataclass(frozen=True, slots=True)
class Saved:
    """A checkpoint that was just written."""

    folder: Path
    global_step: int


@dataclass(frozen=True, slots=True)
class Ended:
    """The last word: the work's report, or what the user did wrong."""

    report: str | None = None
    mistake: str | None = None


Message = Progress | Said | Saved | Ended
