"""What a user chooses, one pydantic model a stage, composed into `Settings`.

This single definition is the Prefect form, the command's flags, the YAML file and the validation.
Every field says what it is, its unit and its bounds. A field marked `NotInKey` changes how a stage works
but not what comes out, so changing it reuses what is stored.
"""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_serializer, model_validator

from tasks.sources.git_urls import safe_name


class NotInKey:
    """Marks a setting that does not change a stage's result, and so is left out of its key."""


class StageSettings(BaseModel):
    """Base of all settings: unknown names are refused, values do not change once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    def keyed(self) -> dict[str, Any]:
        """The settings that change the result, as JSON-ready values."""
        kept: dict[str, Any] = {}
        for name, field in type(self).model_fields.items():
            if any(mark is NotInKey or isinstance(mark, NotInKey) for mark in field.metadata):
                continue
            value = getattr(self, name)
            kept[name] = value.keyed() if isinstance(value, StageSettings) else value
        return kept


class SourceSettings(StageSettings):
    """Where the documents come from: give exactly one of url, checkout, folder and json_file."""

    url: str | None = Field(
        None,
        title="Git URL",
        description="Git repository to fetch (https, ssh, git, http, file:// or a local path). "
        "Keep passwords out: use GIT_TOKEN, Git's credential helpers or credentials_block.",
    )
    ref: str | None = Field(
        None, title="Branch, tag or commit", description="What to fetch; the default branch if empty."
    )
    checkout: Path | None = Field(
        None,
        title="Local checkout",
        description="A Git checkout on this machine, read at `ref` (or HEAD) without cloning; "
        "uncommitted edits are not read.",
    )
    folder: Path | None = Field(
        None, title="Folder", description="A folder of Markdown files on this machine, read as they are."
    )
    json_file: Path | None = Field(
        None,
        title="JSON file",
        description="A JSON list of strings, or of objects with `id`, `title`, and `content` or `text`.",
    )
    recursive: bool = Field(
        True, title="Recursive", description="Read a folder's subfolders too; off reads its top level only."
    )
    include: list[str] = Field(
        ["**/*.md"],
        min_length=1,
        title="Include",
        description="Path patterns to read, as in .gitignore; not used for a JSON file.",
    )
    exclude: list[str] = Field(
        [], title="Exclude", description="Path patterns to leave out, as in .gitignore; counted as dropped."
    )
    max_file_bytes: int = Field(
        10_000_000,
        ge=1,
        le=1_000_000_000,
        title="Largest file (bytes)",
        description="Larger files are not read, but counted as too large.",
    )
    fetch: Annotated[Literal["partial", "shallow", "full"], NotInKey] = Field(
        "partial",
        title="How to fetch",
        description="partial: only the chosen files of one commit; shallow: one commit; full: all history. "
        "A server without partial clones gets a shallow one.",
    )
    credentials_block: Annotated[str | None, NotInKey] = Field(
        None,
        title="Credentials block",
        description="Name of a Prefect Secret block that holds a token for the Git server.",
    )

    @field_serializer("url")
    def _without_password(self, url: str | None) -> str | None:
        # What Prefect stores of a run's parameters, and every other dump, never holds a password.
        return safe_name(url) if url else url

    @model_validator(mode="after")
    def _ref_needs_git(self) -> Self:
        if self.ref is not None and (self.folder or self.json_file):
            raise ValueError("ref is for a Git source: leave it out with folder or json_file")
        given = [n for n in ("url", "checkout", "folder", "json_file") if getattr(self, n) is not None]
        if len(given) > 1:
            raise ValueError(f"give one source, not {len(given)} ({', '.join(given)})")
        return self


class FilterSettings(StageSettings):
    """Which documents are worth learning from, and how their text is cleaned."""

    cleaning: Literal["text", "raw"] = Field(
        "text",
        title="Cleaning",
        description="text: front matter, comments, link targets, images and DocFX markup gone; "
        "raw: the Markdown as it is.",
    )
    keep_code: bool = Field(
        True, title="Keep code blocks", description="Keep code blocks in the cleaned text (`text` only)."
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
        description="exact: of equal texts keep the first; near: of similar texts too "
        "(needs the near-duplicates extra); keep: drop none.",
    )
    near_duplicate_threshold: float = Field(
        0.85,
        gt=0.0,
        le=1.0,
        title="Near-duplicate similarity",
        description="Jaccard similarity of word 5-grams from which two texts count as near duplicates.",
    )
    eval_fraction: float = Field(
        0.1,
        ge=0.0,
        le=0.5,
        title="Held-out share",
        description="Share of the documents held out from training, chosen by a hash of their path; "
        "0 trains on everything and evaluates nothing.",
    )


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

    name_or_path: str = Field(
        "google-bert/bert-base-uncased",
        min_length=1,
        title="Checkpoint",
        description="A masked-language model: hub name, local folder, or a URI in the store. "
        "Only safetensors weights are loaded, and no code from the hub.",
    )
    revision: str | None = Field(
        None, title="Revision", description="Branch, tag or commit of a hub checkpoint; main if empty."
    )
    from_scratch: ScratchSettings | None = Field(
        None,
        title="From scratch",
        description="Sizes of a new BERT; when given, no checkpoint is loaded.",
    )

    @model_validator(mode="after")
    def _one_model(self) -> Self:
        default = type(self).model_fields["name_or_path"].default
        if self.from_scratch is not None and self.name_or_path != default:
            raise ValueError(
                f"both name_or_path {self.name_or_path!r} and from_scratch are given: "
                "leave one out (--model.from-scratch null)"
            )
        return self


class TrainSettings(StageSettings):
    """How the model is trained. Names are those of transformers' TrainingArguments where it has them."""

    objective: Literal["mlm", "mlm+nsp", "mlm+sop"] = Field(
        "mlm",
        title="Objective",
        description="mlm: predict masked tokens; mlm+nsp: also whether a text follows another or is of "
        "another document; mlm+sop: also whether two texts are in order. The last two need a BERT.",
    )
    num_train_epochs: float = Field(
        3.0, gt=0, le=1000, title="Epochs", description="Passes over the training windows."
    )
    max_steps: int = Field(
        -1, ge=-1, title="Most steps", description="Stop after this many optimizer steps; -1 for no limit."
    )
    per_device_train_batch_size: int = Field(
        16, ge=1, le=4096, title="Batch (windows a device)", description="Windows in one batch of one device."
    )
    gradient_accumulation_steps: int = Field(
        1, ge=1, le=4096, title="Accumulation", description="Batches that make one optimizer step."
    )
    learning_rate: float = Field(3e-4, gt=0, le=1, title="Learning rate", description="Peak of the schedule.")
    warmup_share: float = Field(
        0.06, ge=0, le=1, title="Warmup share", description="Share of the steps in which the rate rises."
    )
    lr_scheduler_type: Literal["linear", "cosine", "constant", "constant_with_warmup"] = Field(
        "linear", title="Schedule", description="How the rate falls after warmup."
    )
    weight_decay: float = Field(
        0.01, ge=0, le=1, title="Weight decay", description="AdamW's decay, not on biases and norms."
    )
    max_grad_norm: float = Field(
        1.0, ge=0, le=1000, title="Gradient clip", description="Largest gradient norm; 0 for no clipping."
    )
    mlm_probability: float = Field(
        0.15, gt=0, lt=1, title="Mask rate", description="Share of the tokens that the model must predict."
    )
    final_mlm_probability: float | None = Field(
        None,
        gt=0,
        lt=1,
        title="Final mask rate",
        description="The mask rate goes linearly from `mlm_probability` to this; empty keeps it.",
    )
    masking: Literal["token", "whole_word", "span"] = Field(
        "token",
        title="Masking",
        description="What is masked together: token: nothing; whole_word: all pieces of a word; "
        "span: several words in a row, 3.8 on average.",
    )
    code_mask_weight: float = Field(
        1.0,
        ge=0,
        le=1,
        title="Masks in code",
        description="Mask rate inside code blocks over that of prose; 0 masks no code.",
    )
    short_seq_share: float = Field(
        0.1,
        ge=0,
        le=1,
        title="Short pairs",
        description="Share of the pairs of a random shorter length (BERT: 0.1); only for mlm+nsp, mlm+sop.",
    )
    mask_replace_prob: float = Field(
        0.8, ge=0, le=1, title="Masked share", description="Of the chosen tokens, share that becomes [MASK]."
    )
    random_replace_prob: float = Field(
        0.1,
        ge=0,
        le=1,
        title="Random share",
        description="Of the chosen tokens, share made random.",
    )
    seed: int = Field(
        42, ge=0, le=2**31 - 1, title="Seed", description="Seed of masks, order and new weights."
    )
    precision: Literal["auto", "bf16", "fp32"] = Field(
        "auto",
        title="Precision",
        description="bf16: mixed precision; auto: bf16 where this machine computes it fast, else fp32.",
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
        description="Dropout of hidden states in training. The measured default, 0, learns faster in the few "
        "epochs of an adaptation. Empty keeps the checkpoint's rate; what is saved always does.",
    )
    eval_steps: int = Field(
        0,
        ge=0,
        title="Evaluate every (steps)",
        description="Steps between two held-out evaluations; 0 for before and after training only.",
    )
    early_stopping_patience: int = Field(
        0,
        ge=0,
        title="Patience (evaluations)",
        description="Stop when the held-out loss has not fallen for so many evaluations; 0 never stops.",
    )
    load_best_model_at_end: bool = Field(
        False,
        title="Keep the best",
        description="The result is the model of the lowest held-out loss evaluated, not the last one.",
    )
    processes: int = Field(
        0,
        ge=0,
        le=64,
        title="Processes",
        description="Processes that train together on this machine, each with batches of its own; "
        "0 for one a GPU, or one in all where there is none.",
    )
    parallelism: Annotated[Literal["ddp", "fsdp"], NotInKey] = Field(
        "ddp",
        title="Parallelism",
        description="ddp: every process holds the whole model; fsdp: they share it, for models too large.",
    )
    nodes: int = Field(
        1,
        ge=1,
        le=1024,
        title="Machines",
        description="Machines that train together; start the same run on each of them.",
    )
    rdzv_endpoint: Annotated[str | None, NotInKey] = Field(
        None,
        title="Rendezvous",
        description="host:port where several machines meet, the same on each; the host is one of them.",
    )
    torch_compile: Annotated[bool, NotInKey] = Field(
        False,
        title="Compile",
        description="Compile the model with torch.compile; pays off on some GPUs, not on CPUs.",
    )
    packing: Annotated[bool, NotInKey] = Field(
        False,
        title="Packed rows",
        description="Put a batch's windows end to end in one row without padding, each attending to itself "
        "alone, by a GPU's flash attention; on a CPU it is slower. Only for mlm, without attention dropout.",
    )
    save_steps: Annotated[int, NotInKey] = Field(
        500, ge=1, title="Checkpoint every (steps)", description="Steps between two checkpoints in the store."
    )
    save_total_limit: Annotated[int, NotInKey] = Field(
        2, ge=1, le=1000, title="Checkpoints kept", description="Newest complete checkpoints that are kept."
    )
    logging_steps: Annotated[int, NotInKey] = Field(
        10, ge=1, title="Log every (steps)", description="Steps between two points of the loss curve."
    )
    dataloader_num_workers: Annotated[int, NotInKey] = Field(
        0, ge=0, le=64, title="Data workers", description="Processes that prepare batches; 0 for none."
    )
    resume: Annotated[str, NotInKey] = Field(
        "auto",
        title="Resume",
        description="auto: go on from the newest complete checkpoint of this run; fresh: start again; "
        "or the URI of a checkpoint.",
    )
    report_to: Annotated[list[Literal["tensorboard", "wandb", "mlflow"]], NotInKey] = Field(
        [], title="Trackers", description="Where to track the run; each needs its extra installed."
    )

    @model_validator(mode="after")
    def _meet(self) -> Self:
        if self.nodes > 1 and self.rdzv_endpoint is None:
            raise ValueError(f"nodes is {self.nodes}: give rdzv_endpoint, the host:port where they meet")
        if self.parallelism == "fsdp" and self.load_best_model_at_end:
            raise ValueError("load_best_model_at_end needs whole models: use parallelism ddp")
        return self

    @model_validator(mode="after")
    def _packs(self) -> Self:
        if not self.packing:
            return self
        if self.objective != "mlm":
            raise ValueError(f"packing is for objective mlm: with {self.objective} leave it off")
        if self.attention_dropout != 0:
            raise ValueError(f"packing needs attention_dropout 0, not {self.attention_dropout}")
        if self.torch_compile:
            raise ValueError("packing and torch_compile exclude each other: turn one of them off")
        return self

    @model_validator(mode="after")
    def _evaluates(self) -> Self:
        if (self.early_stopping_patience or self.load_best_model_at_end) and not self.eval_steps:
            raise ValueError(
                "early_stopping_patience and load_best_model_at_end need eval_steps: set it above 0"
            )
        return self

    @model_validator(mode="after")
    def _shares_fit(self) -> Self:
        if self.mask_replace_prob + self.random_replace_prob > 1:
            raise ValueError(
                f"mask_replace_prob {self.mask_replace_prob} and random_replace_prob "
                f"{self.random_replace_prob} add up to more than 1"
            )
        return self


class PublishSettings(StageSettings):
    """How the finished model is presented."""

    model_name: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,95}$",
        title="Model name",
        description="Name on the model card; made from the repository's name if empty.",
    )
    export_texts: Annotated[Path | None, NotInKey] = Field(
        None,
        title="Export texts to",
        description="Also write the kept texts to this file as one JSON list of strings.",
    )


class Settings(StageSettings):
    """Everything a user chooses for one run."""

    source: SourceSettings = Field(SourceSettings(), title="Source")
    filter: FilterSettings = Field(FilterSettings(), title="Filter")
    tokenize: TokenizeSettings = Field(TokenizeSettings(), title="Tokenize")
    model: ModelSettings = Field(ModelSettings(), title="Model")
    train: TrainSettings = Field(TrainSettings(), title="Train")
    publish: PublishSettings = Field(PublishSettings(), title="Publish")
    store: str = Field(
        "~/.docs-mlm/store",
        min_length=1,
        title="Store",
        description="Where every result is kept: a folder, file:///… or s3://bucket/prefix. "
        "S3 keys and endpoint come from the environment (AWS_*).",
    )
    work_dir: Path = Field(
        Path("~/.cache/docs-mlm"),
        title="Work folder",
        description="Scratch space on this machine; may be deleted between runs.",
    )

    def as_parameters(self) -> dict[str, Any]:
        """The settings as the flow takes them: one argument a stage."""
        return {name: getattr(self, name) for name in type(self).model_fields}
