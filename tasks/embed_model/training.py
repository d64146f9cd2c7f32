"""One training of a retrieval model by sentence-transformers' own trainer, however often interrupted."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sentence_transformers import (
    SentenceTransformer,
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
)
from sentence_transformers.sentence_transformer.losses import (
    CachedGISTEmbedLoss,
    CachedMultipleNegativesRankingLoss,
    MatryoshkaLoss,
)
from sentence_transformers.sentence_transformer.model_card import SentenceTransformerModelCardCallback
from sentence_transformers.sentence_transformer.training_args import BatchSamplers
from transformers import (
    PrinterCallback,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
    set_seed,
)
from transformers.utils.logging import disable_progress_bar

from tasks.embed_model.batches import ByLength
from tasks.embed_model.negatives import hard_negatives
from tasks.embed_model.rows import QUERY, RIGHT, WRONG, TrainingPairs, read_pairs
from tasks.embed_model.settings import EmbedSettings
from tasks.errors import UserError
from tasks.retrieval.dense import PROMPTS, Encoder, Task
from tasks.stage.log import stage_logger
from tasks.training import hardware
from tasks.training.callbacks import StopGently, SubmitCheckpoints
from tasks.training.curve import curve, last_tenth
from tasks.training.dropout import set_dropout
from tasks.training.keeper import Keeper, store_in_time
from tasks.training.processes.interrupt import StopRequest, delayed_stop

Tell = Callable[[str, float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedJob:
    """What to train, on what, and where to put it."""

    pairs: Path
    """The folder of the pairs."""
    model: Path
    """The folder of the model to begin from."""
    output: Path
    """Where `model/` goes."""
    checkpoints: Path
    """A folder of this machine for this run alone."""
    settings: EmbedSettings
    resume_from: Path | None = None
    """A whole checkpoint, or None to begin."""


@dataclass(slots=True)
class Clock(TrainerCallback):
    """Times the steps, tells of the log points, and ends a training that diverged."""

    tell: Tell
    pairs: int
    """Pairs of a step."""
    steps: int = 0
    seconds: float = 0.0
    since: float = field(default_factory=time.perf_counter)

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        """Start the clock."""
        self.since = time.perf_counter()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        """Count a step; the checkpoint that may follow is not its time."""
        self.steps += 1
        self.seconds += time.perf_counter() - self.since

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        """Tell of the loss.

        Raises:
            UserError: it is no number any more.
        """
        if (loss := (logs or {}).get("loss")) is None:
            return
        if not math.isfinite(loss):
            raise UserError(
                f"training the retrieval model diverged: the loss is {loss} at step {state.global_step}. "
                f"Lower embed.learning_rate ({args.learning_rate:g})"
            )
        words = (
            f"Step {state.global_step:,} of {state.max_steps:,}: loss {loss:.3f}, "
            f"{self.pairs_per_second:,.1f} pairs/s"
        )
        stage_logger().info("%s", words)
        self.tell(words, state.global_step / max(1, state.max_steps))

    @property
    def pairs_per_second(self) -> float:
        """Pairs a second of this process, checkpoints not counted."""
        return self.steps * self.pairs / self.seconds if self.seconds else 0.0


def train(
    job: EmbedJob, *, keeper: Keeper | None = None, tell: Tell = lambda words, share: None
) -> dict[str, Any]:
    """Train the job's model, write it to `job.output`, and tell the figures of `EmbeddedModel`.

    Raises:
        UserError: the model does not fit the settings, or training diverged.
        KeyboardInterrupt: asked to stop; the step was finished and saved.
    """
    disable_progress_bar()
    settings, pairs = job.settings, read_pairs(job.pairs)
    check_passages(pairs)
    hardware.set_threads()
    set_seed(settings.seed)
    encoder = load_encoder(job.model, settings)
    wrong = negatives_of(pairs, encoder, settings)
    model, precision = encoder.model.train(), hardware.choose_precision(settings.precision)
    stop, clock = StopRequest(), Clock(tell, settings.batch_size)
    callbacks: list[TrainerCallback] = [StopGently(stop), clock]
    callbacks += [] if keeper is None else [SubmitCheckpoints(keeper)]
    trainer = SentenceTransformerTrainer(
        model=model,
        args=training_arguments(job, precision, batch=min(settings.batch_size, len(pairs)), model=model),
        train_dataset=pairs.rows(wrong),
        loss=loss_of(model, job),
        callbacks=callbacks,
    )
    trainer.data_collator = ByLength(trainer.data_collator)
    trainer.remove_callback(PrinterCallback)
    trainer.remove_callback(SentenceTransformerModelCardCallback)
    with delayed_stop(stop):
        checkpoint = None if job.resume_from is None else str(job.resume_from)
        trainer.train(resume_from_checkpoint=checkpoint)
        if stop.signal is not None:
            stage_logger().warning("Asked to stop: saved step %d", trainer.state.global_step)
            if keeper is not None:
                store_in_time(keeper)
    model.eval().save_pretrained(str(job.output / "model"), create_model_card=False)
    history = curve(trainer.state.log_history)
    return {
        "pairs": len(pairs),
        "global_step": trainer.state.global_step,
        "resumed_from_step": trainer.state.global_step - clock.steps,
        "pairs_per_second": clock.pairs_per_second,
        "loss": last_tenth(history),
        "device": hardware.device_name(),
        "precision": precision,
        "peak_memory_bytes": hardware.peak_memory_bytes(),
        "history": history,
    }


def check_passages(pairs: TrainingPairs) -> None:
    """See that there is a passage to tell the right one from.

    Raises:
        UserError: all pairs have the same one.
    """
    if len({pairs.texts[place] for place in pairs.right}) < 2:
        raise UserError(
            f"all {len(pairs)} training pairs are answered by one and the same passage, from which nothing "
            "can be learnt: give more documents, or leave out embed.enabled"
        )


def prompt_of(model: SentenceTransformer, task: Task) -> str:
    """What the model puts before a query or a passage."""
    return next((model.prompts[name] for name in PROMPTS[task] if model.prompts.get(name)), "")


def negatives_of(
    pairs: TrainingPairs, encoder: Encoder, settings: EmbedSettings
) -> npt.NDArray[np.int64] | None:
    """The places of hard negatives, where the settings ask for some."""
    if not settings.hard_negatives:
        return None
    return hard_negatives(pairs, encoder, settings.hard_negatives, settings.seed)


def load_encoder(folder: Path, settings: EmbedSettings) -> Encoder:
    """The model to begin from, with the prompts and the longest text of the settings.

    Raises:
        UserError: it does not load, or a vector of it is shorter than one of `matryoshka_dims`.
    """
    encoder = Encoder.load(folder)
    model = encoder.model
    longest = min(settings.max_seq_length, model.max_seq_length or settings.max_seq_length)
    model.max_seq_length = longest
    prompts = {"query": settings.query_prompt, "document": settings.document_prompt}
    model.prompts |= {name: prompt for name, prompt in prompts.items() if prompt}
    set_rates(model, attention_dropout=settings.attention_dropout, hidden_dropout=settings.hidden_dropout)
    model.model_card_data.widget = [{"text": ""}]  # else examples are made for a card that is not written
    dimensions = model.get_embedding_dimension() or 0
    if too_long := [size for size in settings.matryoshka_dims if size > dimensions]:
        raise UserError(
            f"embed.matryoshka_dims has {too_long[0]}, but the model's vectors have {dimensions} numbers: "
            f"choose {dimensions} or less"
        )
    return encoder


def set_rates(model: SentenceTransformer, **rates: float | None) -> None:
    """Give the model's encoder these dropout rates; its configuration keeps its own, and so what is saved."""
    module = model[0]
    config = getattr(module, "config", None)
    if config is None or not (own := set_dropout(config, **rates)):
        return
    # A layer reads its rate when it is made.
    remade = type(module.model)(config)
    remade.load_state_dict(module.model.state_dict())
    module.model = remade.to(model.device).train(model.training)
    for name, rate in own.items():
        setattr(config, name, rate)


def loss_of(model: SentenceTransformer, job: EmbedJob) -> Any:
    """The chosen loss, whose memory is bounded by the mini-batch."""
    settings = job.settings
    size = settings.mini_batch_size
    if settings.loss == "guided":
        guide = load_encoder(job.model, settings).model
        loss = CachedGISTEmbedLoss(model, guide, mini_batch_size=size)
    elif settings.loss == "symmetric":
        loss = CachedMultipleNegativesRankingLoss(
            model,
            mini_batch_size=size,
            directions=("query_to_doc", "doc_to_query"),
            partition_mode="per_direction",
        )
    else:
        loss = CachedMultipleNegativesRankingLoss(model, mini_batch_size=size)
    if not settings.matryoshka_dims:
        return loss
    return MatryoshkaLoss(model, loss, matryoshka_dims=sorted(settings.matryoshka_dims, reverse=True))


def training_arguments(
    job: EmbedJob, precision: hardware.Precision, *, batch: int, model: SentenceTransformer
) -> SentenceTransformerTrainingArguments:
    """The settings as the trainer takes them, and the model's prompts: those with which it is searched."""
    import torch

    settings = job.settings
    wrong = [WRONG.format(number + 1) for number in range(settings.hard_negatives)]
    prompts = {QUERY: prompt_of(model, "query")}
    prompts |= dict.fromkeys((RIGHT, *wrong), prompt_of(model, "document"))
    arguments = SentenceTransformerTrainingArguments(
        output_dir=str(job.checkpoints),
        num_train_epochs=settings.num_train_epochs,
        max_steps=settings.max_steps,
        per_device_train_batch_size=batch,
        learning_rate=settings.learning_rate,
        warmup_steps=settings.warmup_share,
        weight_decay=settings.weight_decay,
        batch_sampler=BatchSamplers.NO_DUPLICATES,
        prompts={name: prompt for name, prompt in prompts.items() if prompt} or None,
        bf16=precision == "bf16",
        use_cpu=not torch.cuda.is_available(),
        seed=settings.seed,
        save_steps=settings.save_steps,
        save_total_limit=settings.save_total_limit,
        logging_steps=settings.logging_steps,
        report_to=[],
        disable_tqdm=True,
        log_level="error",
        logging_nan_inf_filter=False,
    )
    hardware.take_one_gpu(arguments)
    return arguments
