"""What makes a run, and how it went: both survive JSON, so that other processes can run it."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from tasks.models.settings import ScratchSettings
from tasks.train_model.settings import TrainSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainJob:
    """What to train, on what, and where to put it."""

    data: Path
    """The folder of the tokenize stage."""
    output: Path
    """Where `model/` and `history.json` go."""
    checkpoints: Path
    """A folder of this machine for this run alone."""
    settings: TrainSettings
    location: str | None = None
    """A folder or hub name; None for a model from scratch."""
    revision: str | None = None
    scratch: ScratchSettings | None = None
    resume_from: Path | None = None
    """A whole checkpoint, or None to begin."""
    trackers: Path | None = None
    """Where trackers write, a folder that outlives the run; None for `trackers` in `output`."""
    eval_tokens: int | None = None
    """Most held-out tokens that are measured, those of a sample of documents; all of them if None."""

    def dump(self) -> str:
        """The job as JSON."""
        paths = {
            name: None if (path := getattr(self, name)) is None else str(path)
            for name in ("data", "output", "checkpoints", "resume_from", "trackers")
        }
        rest = {
            "settings": self.settings.model_dump(),
            "location": self.location,
            "revision": self.revision,
            "scratch": self.scratch.model_dump() if self.scratch else None,
            "eval_tokens": self.eval_tokens,
        }
        return json.dumps(paths | rest)

    @classmethod
    def load(cls, text: str) -> Self:
        """The job that `dump` wrote."""
        values = json.loads(text)
        return cls(
            data=Path(values["data"]),
            output=Path(values["output"]),
            checkpoints=Path(values["checkpoints"]),
            settings=TrainSettings(**values["settings"]),
            location=values["location"],
            revision=values["revision"],
            scratch=ScratchSettings(**values["scratch"]) if values["scratch"] else None,
            resume_from=Path(values["resume_from"]) if values["resume_from"] else None,
            trackers=Path(values["trackers"]) if values["trackers"] else None,
            eval_tokens=values["eval_tokens"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainReport:
    """How a run went, as `TrainedModel` tells it."""

    global_step: int
    resumed_from_step: int
    tokens_per_second: float
    padding_share: float
    loss: float
    eval_before: dict[str, float] | None
    eval_after: dict[str, float] | None
    device: str
    precision: str
    peak_memory_bytes: int
    mfu: float | None
    history: list[dict[str, float]] = field(default_factory=list)
    fill_samples: list[dict[str, Any]] = field(default_factory=list)

    def dump(self) -> str:
        """The outcome as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def load(cls, text: str) -> Self:
        """The outcome that `dump` wrote."""
        return cls(**json.loads(text))
