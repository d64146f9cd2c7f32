"""transformers' Trainer with the few pieces that masked-language modelling needs otherwise.

`BertForMaskedLM` ignores `num_items_in_batch`, so with 8 accumulation steps the stock loss is 8 times too
large; its samplers put masks and order into generators whose state a restart loses. Here the loss is summed
over masked tokens and divided by those of the whole step, and order and masks are counted, not drawn.
"""

from typing import Any

import torch
from torch import Tensor, nn
from transformers import Trainer, TrainerCallback, TrainerControl, TrainingArguments
from transformers.trainer_callback import PrinterCallback

from tasks.train_model.batches.batch import Batch
from tasks.train_model.batches.loader import EpochLoader, EpochOrder, for_trainer
from tasks.train_model.batches.masking import IGNORED
from tasks.train_model.model.heads import masked_logits, masked_loss, mlm_logits, pair_loss
from tasks.train_model.parts import Parts
from tasks.training.processes import ranks
from tasks.training.processes.interrupt import stand_aside


class MlmTrainer(Trainer):
    """Trains a masked language model on batches in a counted order, with the loss at masked rows only."""

    loss_is_scaled_for_ga = True

    def __init__(self, parts: Parts, arguments: TrainingArguments, callbacks: list[TrainerCallback]) -> None:
        self.parts = parts
        super().__init__(
            parts.model,
            arguments,
            train_dataset=parts.batches,
            eval_dataset=parts.held_out,
            processing_class=parts.tokenizer,
            callbacks=[parts.meter, *callbacks],
        )
        # The masked tokens of a step must be counted for every model, whatever its forward takes.
        self.model_accepts_loss_kwargs = True
        self.remove_callback(PrinterCallback)

    def get_train_dataloader(self) -> EpochLoader:
        """The batches of this rank in their order, made by the data workers."""
        workers = self.args.dataloader_num_workers
        return EpochLoader(
            self.parts.batches,
            batch_sampler=EpochOrder(self.parts.order, self.args.process_index),
            collate_fn=for_trainer,
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
        enabled = self.parts.precision == "bf16"
        return torch.autocast(
            self.args.device.type, dtype=torch.bfloat16, enabled=enabled, cache_enabled=cache_enabled
        )

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        """The loss of a micro-batch, as its share of the whole optimizer step's."""
        batch = Batch.from_dict(inputs)
        with self.parts.rows.at(batch.places):
            outputs = model(**batch.inputs)
        if num_items_in_batch is None:
            num_items_in_batch = (batch.labels != IGNORED).sum()
        # Gradients are averaged over processes, but each loss is already a share of the sum.
        several = self.accelerator.num_processes
        logits = masked_logits(mlm_logits(outputs), batch.places)
        loss = masked_loss(logits, batch.labels, num_items_in_batch) * several
        self._mlm_loss = loss.detach()
        if batch.pairs is not None:
            following = outputs.seq_relationship_logits
            loss = loss + pair_loss(following, batch.pairs.labels, batch.pairs.in_step) * several
        return (loss, outputs) if return_outputs else loss

    def training_step(
        self, model: nn.Module, inputs: dict[str, Any], num_items_in_batch: Tensor | int | None = None
    ) -> Tensor:
        """One micro-batch forward and backward, counted; of two losses the curve shows the MLM head's."""
        batch = Batch.from_dict(inputs)
        real = batch.real
        loss: Tensor = super().training_step(model, inputs, num_items_in_batch)
        self.parts.meter.add(self._mlm_loss, real, batch.computed)
        return loss

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Keep the loss curve exact across restarts, and say more than the loss."""
        meter, step = self.parts.meter, self.state.global_step
        if "loss" in logs:
            logs["loss"] = meter.take_loss(step)
            logs |= meter.report(step, logs["loss"], logs["learning_rate"])
        if "loss" in logs or "eval_loss" in logs:
            super().log(logs, start_time)

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Held-out figures on fixed masks, each name with `eval_` before it.

        Raises:
            ValueError: there are no held-out windows.
        """
        self.parts.meter.pause()
        found = ranks.from_first(self.parts.evaluate(self.model))
        if found is None:
            raise ValueError("there are no held-out windows")
        metrics = {f"eval_{name}": value for name, value in found.items()}
        self.log(dict(metrics))
        self._tell_callbacks(metrics)
        return metrics

    def _tell_callbacks(self, metrics: dict[str, float]) -> None:
        """Let the callbacks hear of an evaluation, as the Trainer's own does: what they decide is done."""
        handler = self.callback_handler
        self.control: TrainerControl = handler.on_evaluate(self.args, self.state, self.control, metrics)
