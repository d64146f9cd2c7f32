"""transformers' Trainer with the few pieces that masked-language modelling needs otherwise.

`BertForMaskedLM` ignores `num_items_in_batch`, so with 8 accumulation steps the stock loss is 8 times too
large; its samplers put masks and order into generators whose state a restart loses. Here the loss is summed
over masked tokens and divided by those of the whole step, and order and masks are counted, not drawn.
"""

import os
import shutil
import signal
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.modeling_utils import PreTrainedModel
from transformers.trainer_callback import PrinterCallback

from tasks.train_model import ranks
from tasks.train_model.batching import EpochLoader, EpochOrder, MaskedBatches, Plan, only
from tasks.train_model.evaluation import evaluate, take_places
from tasks.train_model.hardware import Precision
from tasks.train_model.heads import SparseRows, masked_logits, masked_loss, mlm_logits, pair_loss
from tasks.train_model.interrupt import StopRequest, stand_aside
from tasks.train_model.masking import IGNORED
from tasks.train_model.pairs import Pairs
from tasks.train_model.progress import Meter
from tasks.train_model.windows import Windows

BEST = "best.safetensors"
"""The weights of the lowest held-out loss so far, beside the newest in every checkpoint."""


class MlmTrainer(Trainer):
    """Trains a masked language model on batches that are planned, with the loss at masked rows only."""

    loss_is_scaled_for_ga = True

    def __init__(
        self,
        model: PreTrainedModel,
        args: TrainingArguments,
        *,
        rows: SparseRows,
        plan: Plan,
        batches: MaskedBatches,
        held_out: Windows | None,
        held_out_pairs: Pairs | None,
        meter: Meter,
        precision: Precision,
        callbacks: list[TrainerCallback],
        tokenizer: Any,
    ) -> None:
        self.rows, self.plan, self.batches = rows, plan, batches
        self.held_out, self.held_out_pairs = held_out, held_out_pairs
        self.meter, self.precision = meter, precision
        super().__init__(
            model,
            args,
            train_dataset=batches,
            eval_dataset=held_out,
            processing_class=tokenizer,
            callbacks=[meter, *callbacks],
        )
        # The masked tokens of a step must be counted for every model, whatever its forward takes.
        self.model_accepts_loss_kwargs = True
        self.remove_callback(PrinterCallback)

    def get_train_dataloader(self) -> EpochLoader:
        """The planned micro-batches of this rank, made by the data workers."""
        workers = self.args.dataloader_num_workers
        return EpochLoader(
            self.batches,
            batch_sampler=EpochOrder(self.plan, self.args.process_index),
            collate_fn=only,
            num_workers=workers,
            # Spawned, not forked: the store's client, which uploads checkpoints meanwhile, survives no fork.
            multiprocessing_context="spawn" if workers else None,
            worker_init_fn=stand_aside if workers else None,
            persistent_workers=workers > 0,
            pin_memory=self.args.dataloader_pin_memory and torch.cuda.is_available(),
            # Workers need no random numbers, and the run's own must not depend on how many there are.
            generator=torch.Generator().manual_seed(0),
        )

    def autocast_smart_context_manager(self, cache_enabled: bool | None = True) -> Any:
        """bf16 products in training only: evaluation stays in fp32, so that its figures compare."""
        enabled = self.precision == "bf16"
        return torch.autocast(
            self.args.device.type, dtype=torch.bfloat16, enabled=enabled, cache_enabled=cache_enabled
        )

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        """The loss of a micro-batch, as its share of the whole optimizer step's."""
        labels = inputs.pop("labels")
        places = take_places(inputs)
        following, pairs_in_step = inputs.pop("next_sentence_label", None), inputs.pop("pairs_in_step", 0)
        with self.rows.at(places):
            outputs = model(**inputs)
        if num_items_in_batch is None:
            num_items_in_batch = (labels != IGNORED).sum()
        # Gradients are averaged over processes, but each loss is already a share of the sum.
        several = self.accelerator.num_processes
        loss = masked_loss(masked_logits(mlm_logits(outputs), places), labels, num_items_in_batch) * several
        self._mlm_loss = loss.detach()
        if following is not None:
            loss = loss + pair_loss(outputs.seq_relationship_logits, following, pairs_in_step) * several
        return (loss, outputs) if return_outputs else loss

    def training_step(
        self, model: nn.Module, inputs: dict[str, Tensor], num_items_in_batch: Tensor | int | None = None
    ) -> Tensor:
        """One micro-batch forward and backward, counted; of two losses the curve shows the MLM head's."""
        ids, mask = inputs["input_ids"], inputs.get("attention_mask")
        # Not read here: a GPU would finish all its work first, in every step.
        real = ids.numel() if mask is None else mask.sum()
        loss: Tensor = super().training_step(model, inputs, num_items_in_batch)
        self.meter.add(self._mlm_loss, real, ids.numel())
        return loss

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Keep the loss curve exact across restarts, and say more than the loss."""
        if "loss" in logs:
            logs["loss"] = self.meter.take_loss(self.state.global_step)
            logs |= self.meter.report(self.state.global_step, logs["loss"], logs["learning_rate"])
        if "loss" in logs or "eval_loss" in logs:
            super().log(logs, start_time)

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Held-out figures on fixed masks, each name with `eval_` before it."""
        self.meter.pause()
        if self.held_out is None:
            raise ValueError("there are no held-out windows")
        batches, pairs = self.batches, self.held_out_pairs
        found = evaluate(
            self.model, self.rows, self.held_out, batches.masker, batches.pad_token_id, pairs=pairs
        )
        metrics = {f"eval_{name}": value for name, value in ranks.from_first(found).items()}
        self.log(dict(metrics))
        handler = self.callback_handler
        self.control: TrainerControl = handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics


class StopGently(TrainerCallback):
    """Ends the run after the step in which a signal came, with a checkpoint; and logs the last step.

    Of several processes all end after the same step: each tells the others, and hears them one step later,
    when their answers are there without waiting.
    """

    def __init__(self, request: StopRequest) -> None:
        self.request = request
        self._heard: Tensor | None = None

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Decide what follows the step."""
        asked = self.request.signal is not None
        if ranks.ranks() > 1:
            mine = torch.full((), float(asked), device=args.device)
            asked = self._heard is not None and bool(self._heard)
            self._heard = ranks.total(mine)
        if state.global_step >= state.max_steps:
            control.should_log = True
        elif asked:
            self.request.signal = self.request.signal or signal.SIGTERM
            control.should_save = control.should_training_stop = True


class KeepBest(TrainerCallback):
    """Keeps the weights of the lowest held-out loss; stops when it has not fallen for `patience` evaluations.

    What was lowest is read from the log, which every checkpoint carries, so that a restart forgets nothing.
    """

    def __init__(self, folder: Path, *, keep: bool, patience: int) -> None:
        self.best, self.keep, self.patience = folder / BEST, keep, patience

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: PreTrainedModel,
        **_: Any,
    ) -> None:
        """Compare the newest evaluation with those before."""
        if self.keep and _since_lowest(state.log_history) == 0 and state.is_world_process_zero:
            model.save_pretrained(self.best.parent / "best")
            (self.best.parent / "best" / "model.safetensors").replace(self.best)
        control.should_training_stop |= self.exhausted(state.log_history)

    def exhausted(self, log_history: list[dict[str, float]]) -> bool:
        """Whether the held-out loss has not fallen for `patience` evaluations."""
        return bool(self.patience) and _since_lowest(log_history) >= self.patience

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Put the best weights into the checkpoint, as another name of the same file."""
        folder = self.best.parent / f"checkpoint-{state.global_step}"
        if self.best.is_file() and state.is_world_process_zero and not (folder / BEST).exists():
            os.link(self.best, folder / BEST)

    def restore(self, checkpoint: Path | None) -> None:
        """Take the best weights from the checkpoint that the run resumes from; without one, begin anew."""
        self.best.unlink(missing_ok=True)
        if checkpoint is not None and (checkpoint / BEST).is_file():
            self.best.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(checkpoint / BEST, self.best)


def _since_lowest(log_history: list[dict[str, float]]) -> int:
    """Evaluations since the one with the lowest loss."""
    losses = [point["eval_loss"] for point in log_history if "eval_loss" in point]
    return len(losses) - 1 - losses.index(min(losses)) if losses else 0


class SubmitCheckpoints(TrainerCallback):
    """Hands every finished checkpoint to whoever keeps them."""

    def __init__(self, keeper: Any) -> None:
        self.keeper = keeper

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Hand over the folder that was just written."""
        if state.is_world_process_zero:
            self.keeper.submit(Path(args.output_dir) / f"checkpoint-{state.global_step}", state.global_step)
