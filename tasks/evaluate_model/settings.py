"""What is measured of the models, and how much of it: the choices."""

from pydantic import Field

from tasks.stage.keys import StageSettings


class EvaluateSettings(StageSettings):
    """What is measured of the models before and after, on held-out documents."""

    enabled: bool = Field(
        True, title="Evaluate", description="Measure what the models are good for, before and after."
    )
    max_tokens: int | None = Field(
        100_000,
        ge=1,
        title="Most tokens",
        description="Of the documents that each probe reads, a seeded sample of them; all if empty.",
    )
    max_queries: int | None = Field(
        500,
        ge=1,
        title="Most queries",
        description="Held-out queries that are asked, those of a seeded sample of documents; all if empty.",
    )
    general_texts: str | None = Field(
        None,
        title="General texts",
        description="Text of another kind, on which the models are compared to see what was forgotten: a "
        "folder of .txt or .md files, a JSON file of texts, or a hub data set as NAME:SPLIT:COLUMN.",
    )
    tags: str | None = Field(
        None,
        title="Tags",
        description="What a linear probe tells of a page: a field of its front matter such as ms.topic; the "
        "page's folder if empty.",
    )
    seed: int = Field(0, ge=0, le=2**32 - 1, title="Seed", description="Of the samples and intervals.")

    @property
    def bound(self) -> int | None:
        """Most held-out tokens that a training evaluates; None for all."""
        return self.max_tokens if self.enabled else None
