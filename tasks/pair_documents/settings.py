"""Which pairs of query and passage are mined: the choices."""

from typing import Literal

from pydantic import Field, field_validator

from tasks.stage.keys import StageSettings

Kind = Literal["title", "anchor", "heading", "description"]
KINDS: tuple[Kind, ...] = ("title", "anchor", "heading", "description")
"""Kinds of queries; one that is of several counts as the first of them."""


class PairSettings(StageSettings):
    """Which pairs of query and passage are mined from the documents."""

    kinds: list[Kind] = Field(
        list(KINDS),
        min_length=1,
        title="Kinds of queries",
        description="title and description: the beginning of their page; heading: its section; anchor: what "
        "a link with these words leads to.",
        json_schema_extra={"uniqueItems": True},
    )
    max_targets: int = Field(
        3,
        ge=1,
        le=100,
        title="Targets of a query",
        description="A query that leads to more sections than this says too little, and is left out.",
    )
    passage_characters: int = Field(
        1000,
        ge=100,
        le=100_000,
        title="Passage (characters)",
        description="Longest passage; a longer section is cut between sentences.",
    )

    @field_validator("kinds")
    @classmethod
    def _in_one_order(cls, kinds: list[Kind]) -> list[Kind]:
        return [kind for kind in KINDS if kind in kinds]  # the order changes nothing, so it is in no key
