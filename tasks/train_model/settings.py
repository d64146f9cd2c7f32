"""How the model is trained: the choices, in five small classes that make one form.

Their order is that of the form and of the command's help.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tasks.stage.keys import MostUsed, NotInKey, StageSettings


class StepSettings(StageSettings):
    """What is minimised, in how many steps of which size."""

    objective: Annotated[Literal["mlm", "mlm+nsp", "mlm+sop"], MostUsed] = Field(
        "mlm",
        title="Objective",
        description="mlm: predict masked tokens; mlm+nsp: also whether a text follows another or is of "
        "another document; mlm+sop: also whether two texts are in order. The last two need a BERT.",
    )
    num_train_epochs: Annotated[float, MostUsed] = Field(
        3.0, gt=0, le=1000, title="Epochs", description="Passes over the training windows."
    )
    max_steps: Annotated[int, MostUsed] = Field(
        -1, ge=-1, title="Most steps", description="Stop after this many optimizer steps; -1 for no limit."
    )
    tokens_per_step: Annotated[int, NotInKey] = Field(
        0,
        ge=0,
        le=100_000_000,
        title="Step (tokens)",
        description="About so many tokens make one optimizer step, of all devices and batches together; 0 for"
        " 512 on a CPU, where small steps teach more in the same time, and 4,096 for each GPU.",
    )
    per_device_train_batch_size: int | None = Field(
        None,
        ge=1,
        le=4096,
        title="Batch (windows a device)",
        description="Windows in one batch of one device; empty for as many as make a step.",
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

    @model_validator(mode="after")
    def _has_one_size(self) -> Self:
        if self.tokens_per_step and self.per_device_train_batch_size is not None:
            raise ValueError(
                f"tokens_per_step is {self.tokens_per_step} and per_device_train_batch_size "
                f"{self.per_device_train_batch_size}: leave one out, for either says how large a step is"
            )
        return self

    @model_validator(mode="after")
    def _warms_up(self) -> Self:
        if self.lr_scheduler_type == "constant" and self.warmup_share and self.changed("warmup_share"):
            raise ValueError(
                f"warmup_share is {self.warmup_share}, but lr_scheduler_type constant has no warmup: "
                "choose constant_with_warmup, or leave warmup_share out"
            )
        return self


class MaskSettings(StageSettings):
    """What is learnt: which tokens are hidden, and what stands in their place."""

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

    @model_validator(mode="after")
    def _shares_fit(self) -> Self:
        if self.mask_replace_prob + self.random_replace_prob > 1:
            raise ValueError(
                f"mask_replace_prob {self.mask_replace_prob} and random_replace_prob "
                f"{self.random_replace_prob} add up to more than 1"
            )
        return self


class CourseSettings(StageSettings):
    """How a run goes: its chances and precision, and what the held-out loss decides."""

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

    @model_validator(mode="after")
    def _evaluates(self) -> Self:
        if (self.early_stopping_patience or self.load_best_model_at_end) and not self.eval_steps:
            raise ValueError(
                "early_stopping_patience and load_best_model_at_end need eval_steps: set it above 0"
            )
        return self


class MachineSettings(StageSettings):
    """On which machines, and by how many processes."""

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

    @model_validator(mode="after")
    def _meet(self) -> Self:
        if self.nodes > 1 and self.rdzv_endpoint is None:
            raise ValueError(f"nodes is {self.nodes}: give rdzv_endpoint, the host:port where they meet")
        if self.nodes == 1 and self.rdzv_endpoint is not None:
            raise ValueError(
                f"rdzv_endpoint is {self.rdzv_endpoint!r}, but nodes is 1, and one machine meets no other: "
                "set nodes to how many there are, or leave rdzv_endpoint out"
            )
        return self


class KeepingSettings(StageSettings):
    """What is kept and told of a run on its way, and what it goes on from."""

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


# pydantic takes the fields of the last base first.
class TrainSettings(KeepingSettings, MachineSettings, CourseSettings, MaskSettings, StepSettings):
    """How the model is trained. Names are those of transformers' TrainingArguments where it has them."""

    @model_validator(mode="after")
    def _keeps_whole_models(self) -> Self:
        if self.parallelism == "fsdp" and self.load_best_model_at_end:
            raise ValueError("load_best_model_at_end needs whole models: use parallelism ddp")
        return self

    @model_validator(mode="after")
    def _shortens_pairs(self) -> Self:
        if self.objective == "mlm" and self.changed("short_seq_share"):
            raise ValueError(
                f"short_seq_share is {self.short_seq_share}, but objective mlm has no pairs: "
                "choose mlm+nsp or mlm+sop, or leave short_seq_share out"
            )
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
