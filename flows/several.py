"""What a run on several sources is asked besides the stages' settings, by the flow and by the command."""

from typing import Annotated, Any, Literal

from pydantic import Field

from tasks.clone_docs.settings import SourceSettings
from tasks.settings import Settings

Corpora = Literal["each", "joint"]
AtOnce = Annotated[int, Field(ge=1, le=64)]
Sources = Annotated[list[SourceSettings], Field(min_length=1)]


class SeveralSettings(Settings):
    """Everything a user chooses for a run on several sources; `source` is what they have in common."""

    corpus: Corpora = Field(
        "each",
        title="Corpus",
        description="each: a model of every source; joint: one model of all sources' documents together.",
    )
    at_once: AtOnce = Field(
        1,
        title="At once",
        description="Sources that are worked on at the same time, each in a process of its own.",
    )

    def as_parameters(self) -> dict[str, Any]:
        """The settings as the flow takes them, but for the sources."""
        return {name: value for name, value in super().as_parameters().items() if name != "source"}
