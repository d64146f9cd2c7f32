"""How texts become windows of tokens: the choices."""

from typing import Literal

from pydantic import Field

from tasks.stage.keys import StageSettings


class TokenizeSettings(StageSettings):
    """How texts become windows of tokens."""

    mode: Literal["chunk", "truncate"] = Field(
        "chunk",
        title="Long documents",
        description="chunk: cut every document into windows, nothing dropped; "
        "truncate: keep only the first window of each.",
    )
    max_seq_length: int = Field(
        256,
        ge=8,
        le=8192,
        title="Window (tokens)",
        description="Longest window, special tokens included; at most the model's positions.",
    )
