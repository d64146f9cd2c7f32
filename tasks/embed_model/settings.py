"""How a retrieval model is trained on the pairs: the choices."""

from typing import Annotated, Literal

from pydantic import Field

from tasks.stage.keys import MostUsed, NotInKey, StageSettings

Loss = Literal["ranking", "symmetric", "guided"]


class EmbedSettings(StageSettings):
    """Whether and how a retrieval model is trained on pairs of query and passage from the documents."""

    enabled: Annotated[bool, MostUsed] = Field(
        False,
        title="Train a retrieval model",
        description="Also train a model that finds passages by questions, and publish it beside the other.",
    )
    start: Literal["base", "adapted"] = Field(
        "base",
        title="Start",
        description="base: a retrieval model that is there; adapted: this run's masked-language model, with "
        "mean pooling.",
    )
    name_or_path: str = Field(
        "sentence-transformers/all-MiniLM-L6-v2",
        min_length=1,
        title="Retrieval model",
        description="A model of sentence-transformers to begin from: hub name, local folder, or a URI in the "
        "store. Only safetensors weights are loaded, and no code from the hub.",
    )
    revision: str | None = Field(
        None, title="Revision", description="Branch, tag or commit of a hub checkpoint; main if empty."
    )
    without_pairs: Literal["refuse", "skip"] = Field(
        "refuse",
        title="Without pairs",
        description="What to do with documents that hold no pairs to train on: end the run before it trains, "
        "or go on without a retrieval model.",
    )
    loss: Loss = Field(
        "ranking",
        title="Loss",
        description="ranking: the right passage among the batch's others (cached); symmetric: and the right "
        "query among the others; guided: without those that the starting model takes for right.",
    )
    matryoshka_dims: list[int] = Field(
        [],
        title="Matryoshka dimensions",
        description="Vectors that are cut to these lengths are to be good too; none if empty.",
    )
    hard_negatives: int = Field(
        0,
        ge=0,
        le=16,
        title="Hard negatives",
        description="Passages that BM25 and the model take for right and are not, added to each pair.",
    )
    query_prompt: str = Field("", max_length=200, title="Query prompt", description="Put before each query.")
    document_prompt: str = Field(
        "", max_length=200, title="Document prompt", description="Put before each passage."
    )
    max_seq_length: int = Field(
        256, ge=8, le=8192, title="Longest text (tokens)", description="Longer texts are cut."
    )
    num_train_epochs: float = Field(1.0, gt=0, le=100, title="Epochs", description="Passes over all pairs.")
    max_steps: int = Field(
        -1, ge=-1, title="Most steps", description="Stop after this many steps; -1 for no limit."
    )
    batch_size: int = Field(
        128, ge=2, le=65_536, title="Batch (pairs)", description="Pairs that are told apart at once."
    )
    mini_batch_size: int = Field(
        16, ge=1, le=65_536, title="Mini-batch (pairs)", description="Pairs in memory at once."
    )
    learning_rate: float = Field(1e-4, gt=0, le=1, title="Learning rate", description="Highest rate.")
    warmup_share: float = Field(0.1, ge=0, lt=1, title="Warmup", description="Share of the steps.")
    weight_decay: float = Field(0.01, ge=0, le=1, title="Weight decay", description="Of AdamW.")
    precision: Literal["auto", "bf16", "fp32"] = Field(
        "auto", title="Precision", description="bf16 where the machine computes it fast, or fp32."
    )
    attention_dropout: float | None = Field(
        0.0,
        ge=0,
        lt=1,
        title="Attention dropout",
        description="Dropout of attention weights in training; without it attention has faster kernels. "
        "Empty keeps the checkpoint's rate; what is saved always does.",
    )
    hidden_dropout: float | None = Field(
        0.0,
        ge=0,
        lt=1,
        title="Hidden dropout",
        description="Dropout of hidden states in training; without it a step is quicker. Empty keeps the "
        "checkpoint's rate; what is saved always does.",
    )
    seed: int = Field(42, ge=0, le=2**32 - 1, title="Seed", description="Of the order of the pairs.")
    logging_steps: Annotated[int, NotInKey] = Field(
        5, ge=1, title="Log every (steps)", description="How often figures are logged."
    )
    save_steps: Annotated[int, NotInKey] = Field(
        50, ge=1, title="Save every (steps)", description="How often a checkpoint goes to the store."
    )
    save_total_limit: Annotated[int, NotInKey] = Field(
        2, ge=1, le=100, title="Checkpoints kept", description="The newest that stay in the store."
    )
    resume: Annotated[str, NotInKey] = Field(
        "auto",
        title="Resume",
        description="auto: from the newest checkpoint; fresh: delete them and begin; or a checkpoint's URI.",
    )
