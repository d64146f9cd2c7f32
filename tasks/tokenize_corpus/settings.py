"""How texts become windows of tokens: the choices."""

from typing import Annotated, Literal

from pydantic import Field

from tasks.stage.keys import MostUsed, StageSettings


class TokenizeSettings(StageSettings):
    """How texts become windows of tokens."""

    mode: Literal["chunk", "truncate"] = Field(
        "chunk",
        title="Long documents",
        description="chunk: cut every document into windows, nothing dropped; "
        "truncate: keep only the first window of each.",
    )
    max_seq_length: Annotated[int, MostUsed] = Field(
        256,
        ge=8,
        le=8192,
        title="Window (tokens)",
        description="Longest window, special tokens included; at most the model's positions.",
    )
