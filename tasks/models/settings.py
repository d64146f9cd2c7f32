"""Which model is adapted: the choices."""

from typing import Annotated, Self

from pydantic import ConfigDict, Field, model_validator

from tasks.stage.keys import Instead, MostUsed, StageSettings

TWO_MODELS = "both name_or_path {!r} and from_scratch are given: leave one out (--model.from-scratch null)"


class ScratchSettings(StageSettings):
    """The sizes of a BERT that starts from random weights, with a WordPiece tokenizer of the corpus."""

    # What the form calls this choice; inherited settings stay.
    model_config = ConfigDict(title="New BERT")

    vocab_size: int = Field(
        8192, ge=200, le=200_000, title="Vocabulary (tokens)", description="Most entries of the vocabulary."
    )
    lowercase: bool = Field(True, title="Lowercase", description="Lowercase all text, as uncased BERT does.")
    hidden_size: int = Field(256, ge=8, le=4096, title="Hidden size", description="Width of the encoder.")
    num_hidden_layers: int = Field(4, ge=1, le=48, title="Layers", description="Encoder layers.")
    num_attention_heads: int = Field(
        4, ge=1, le=64, title="Attention heads", description="Must divide the hidden size."
    )
    intermediate_size: int = Field(
        1024,
        ge=8,
        le=16384,
        title="Feed-forward size",
        description="Width of each layer's feed-forward part.",
    )
    max_position_embeddings: int = Field(
        512, ge=8, le=8192, title="Positions (tokens)", description="Longest window that the model can take."
    )

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"hidden_size {self.hidden_size} is not a multiple of "
                f"num_attention_heads {self.num_attention_heads}"
            )
        return self


class ModelSettings(StageSettings):
    """Which model is adapted."""

    name_or_path: Annotated[str, MostUsed] = Field(
        "google-bert/bert-base-uncased",
        min_length=1,
        title="Checkpoint",
        description="A masked-language model: hub name, local folder, or a URI in the store. "
        "Only safetensors weights are loaded, and no code from the hub.",
    )
    revision: str | None = Field(
        None, title="Revision", description="Branch, tag or commit of a hub checkpoint; main if empty."
    )
    from_scratch: Annotated[ScratchSettings | None, Instead()] = Field(
        None,
        title="From scratch",
        description="Sizes of a new BERT; when given, no checkpoint is loaded.",
    )

    @model_validator(mode="after")
    def _one_model(self) -> Self:
        default = type(self).model_fields["name_or_path"].default
        if self.from_scratch is not None and self.name_or_path != default:
            raise ValueError(TWO_MODELS.format(self.name_or_path))
        if self.from_scratch is not None and self.revision is not None:
            raise ValueError(
                f"revision {self.revision!r} is of a hub checkpoint, but from_scratch is given, which loads "
                "none: leave one out (--model.from-scratch null)"
            )
        return self
