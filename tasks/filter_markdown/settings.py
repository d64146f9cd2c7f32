"""Which documents are worth learning from, and how their text is cleaned: the choices."""

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from tasks.filter_markdown.dialects.known import names
from tasks.filter_markdown.language_codes import KNOWN, UNTOLD
from tasks.stage.keys import StageSettings

LANGUAGES = KNOWN | {UNTOLD}


class FilterSettings(StageSettings):
    """Which documents are worth learning from, and how their text is cleaned."""

    cleaning: Literal["text", "raw"] = Field(
        "text",
        title="Cleaning",
        description="text: front matter, comments, link targets, images and builders' markup gone; "
        "raw: the Markdown as it is.",
    )
    keep_code: bool = Field(
        True, title="Keep code blocks", description="Keep code blocks in the cleaned text (`text` only)."
    )
    dialects: list[str] = Field(
        list(names()),
        title="Dialects",
        description="Builders whose marks are taken out of the pages that have them (`text` only): "
        f"{', '.join(names())}.",
        json_schema_extra={"items": {"type": "string", "enum": list(names())}, "uniqueItems": True},
    )
    min_chars: int = Field(
        200,
        ge=0,
        le=1_000_000,
        title="Too short (characters)",
        description="A text of this many characters or fewer is dropped.",
    )
    max_chars: int = Field(
        1_000_000,
        ge=1,
        le=1_000_000_000,
        title="Too large (characters)",
        description="A text of more characters than this is dropped.",
    )
    duplicates: Literal["exact", "near", "keep"] = Field(
        "exact",
        title="Duplicates",
        description="exact: of equal texts keep the first; near: of similar texts too; keep: drop none. "
        "Similar texts are never on both sides of the held-out part.",
    )
    near_duplicate_threshold: float = Field(
        0.85,
        gt=0.0,
        le=1.0,
        title="Near-duplicate similarity",
        description="Jaccard similarity of word 5-grams from which two texts count as near duplicates. "
        "They all train or are all held out, together with what is less alike by 0.15 at most.",
    )
    languages: list[str] = Field(
        [],
        title="Languages",
        description="Two-letter codes (ISO 639-1) of the languages to keep, such as en; und: texts whose "
        "language is not told. All if empty.",
    )
    boilerplate_share: float | None = Field(
        None,
        ge=0.001,
        lt=1.0,
        title="Boilerplate from (share of documents)",
        description="Lines of prose in more than this share of the documents, and in 3 at least, are taken "
        "out of all of them, such as 0.05; none if empty.",
    )
    eval_fraction: float = Field(
        0.1,
        ge=0.0,
        le=0.5,
        title="Held-out share",
        description="Share of the documents held out from training, chosen by a hash of their path; "
        "0 trains on everything and evaluates nothing.",
    )

    @field_validator("languages")
    @classmethod
    def _are_told_apart(cls, languages: list[str]) -> list[str]:
        for code in languages:
            if code not in LANGUAGES:
                raise ValueError(
                    f"{code!r} is no language that is told apart: give two-letter codes (ISO 639-1), such "
                    f"as en, or und; there are {' '.join(sorted(LANGUAGES))}"
                )
        # Their order and number change nothing, so they do not change the key.
        return sorted(set(languages))

    @field_validator("dialects")
    @classmethod
    def _known_dialects(cls, chosen: list[str]) -> list[str]:
        if unknown := sorted(set(chosen) - set(names())):
            raise ValueError(f"no dialect is called {', '.join(unknown)}: choose among {', '.join(names())}")
        return sorted(set(chosen))  # the order changes nothing, so it is in no key

    @model_validator(mode="after")
    def _each_has_an_effect(self) -> Self:
        if self.cleaning == "raw" and not self.keep_code:
            raise ValueError(
                "keep_code is off, but cleaning raw leaves the Markdown as it is: choose cleaning text, "
                "or leave keep_code on"
            )
        if self.cleaning == "raw" and self.changed("dialects"):
            raise ValueError(
                "dialects are chosen, but cleaning raw leaves the Markdown as it is: choose cleaning text, "
                "or leave dialects out"
            )
        if self.duplicates != "near" and self.eval_fraction == 0 and self.changed("near_duplicate_threshold"):
            raise ValueError(
                f"near_duplicate_threshold is {self.near_duplicate_threshold}, but duplicates is "
                f"{self.duplicates} and eval_fraction 0, so that similar texts are neither dropped nor kept "
                "on one side: choose duplicates near, hold some out, or leave it out"
            )
        if self.min_chars >= self.max_chars:
            raise ValueError(
                f"min_chars {self.min_chars} and max_chars {self.max_chars} leave no text between them: "
                "a text is kept that has more than min_chars, and max_chars at most"
            )
        return self
