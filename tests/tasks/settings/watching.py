"""A training seen from outside: what its model is given, what its optimizer does, what it leaves behind.

Nothing of `tasks.train_model` is looked into. The batches, dropout rates and precision are read where the
model is called, the labels where torch computes their loss, rates, decay and gradients where an optimizer
steps; so whatever stands between a setting and these must carry the setting's value.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch.nn.modules.module import register_module_forward_hook
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from transformers.modeling_utils import PreTrainedModel

from tasks.train_model.job import TrainJob, TrainReport
from tasks.train_model.settings import TrainSettings
from tasks.train_model.training import train
from tests.tasks.settings.corpus import TINY

BASE: dict[str, Any] = {
    "num_train_epochs": 2,
    "per_device_train_batch_size": 10,
    "learning_rate": 3e-3,
    "logging_steps": 1,
    "save_steps": 1000,
    "precision": "fp32",
}
"""60 windows: 6 steps an epoch, 12 in all."""
Weights = dict[str, torch.Tensor]


@dataclass
class Batch:
    """One forward pass of training."""

    ids: np.ndarray
    """(windows, positions) what the model saw."""
    inputs: dict[str, Any]
    dropout: dict[str, float]
    """The rates in force, by the layer's name."""
    autocast: torch.dtype | None
    seed: int
    """Of torch's own random numbers, which dropout draws."""
    labels: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    """(masked,) the tokens to predict."""
    pair_labels: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    """(windows,) whether the second segment is a false one."""


@dataclass
class Step:
    """One step of the optimizer."""

    batches: list[Batch]
    rates: set[float]
    """The learning rates of all parameters."""
    decay: dict[str, float]
    """Each parameter's weight decay."""
    norm: float
    """Of the gradients as the optimizer got them."""
    before: Weights = field(default_factory=dict)
    """The weights before the run's first step; empty for later ones."""
    gradients: Weights = field(default_factory=dict)
    after: Weights = field(default_factory=dict)

    @property
    def ids(self) -> np.ndarray:
        """(windows, positions) what the model saw in all batches of the step."""
        return np.concatenate([batch.ids for batch in self.batches])

    @property
    def labels(self) -> np.ndarray:
        """(masked,) the tokens to predict in all batches of the step."""
        return np.concatenate([batch.labels for batch in self.batches])


@dataclass
class Watched:
    """A whole run."""

    steps: list[Step] = field(default_factory=list)
    report: TrainReport | None = None
    weights: Weights = field(default_factory=dict)
    folder: Path = Path()

    @property
    def ids(self) -> np.ndarray:
        """(windows of all steps, positions) what the model saw."""
        return np.concatenate([step.ids for step in self.steps])

    @property
    def labels(self) -> np.ndarray:
        """(masked,) the tokens to predict in all steps."""
        return np.concatenate([step.labels for step in self.steps])

    @property
    def history(self) -> list[dict[str, float]]:
        """The run's log points."""
        assert self.report is not None
        return self.report.history


@contextmanager
def watching() -> Iterator[Watched]:
    """Within, what a training does is written down."""
    found, batches = Watched(), list[Batch]()
    named: dict[int, str] = {}

    def forward(module: Any, _args: Any, inputs: dict[str, Any], _output: Any) -> None:
        if not isinstance(module, PreTrainedModel) or not module.training or not torch.is_grad_enabled():
            return
        if module.get_output_embeddings() is None or "input_ids" not in inputs:
            return
        named.update({id(weight): name for name, weight in module.named_parameters()})
        device = inputs["input_ids"].device.type
        batches.append(
            Batch(
                ids=inputs["input_ids"].cpu().numpy().copy(),
                inputs=dict(inputs),
                dropout={
                    name: layer.p for name, layer in module.named_modules()
                    if isinstance(layer, torch.nn.Dropout)
                },
                autocast=torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None,
                seed=torch.initial_seed(),
            )
        )  # fmt: skip

    def cross_entropy(logits: torch.Tensor, target: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        if torch.is_grad_enabled() and batches:
            labels = target.cpu().numpy()
            kind = "pair_labels" if logits.shape[-1] == 2 else "labels"
            setattr(batches[-1], kind, labels[labels != -100].copy())
        return computed(logits, target, *args, **kwargs)

    def before_step(optimizer: torch.optim.Optimizer, _args: Any, _kwargs: Any) -> None:
        groups = optimizer.param_groups
        weights = {named[id(weight)]: weight for group in groups for weight in group["params"]}
        squares = [float(weight.grad.float().square().sum()) for weight in weights.values()]
        step = Step(
            batches=batches.copy(),
            rates={float(group["lr"]) for group in groups},
            decay={named[id(w)]: group["weight_decay"] for group in groups for w in group["params"]},
            norm=sum(squares) ** 0.5,
        )
        if not found.steps:
            step.before = {name: weight.detach().clone() for name, weight in weights.items()}
            step.gradients = {name: weight.grad.clone() for name, weight in weights.items()}
        batches.clear()
        found.steps.append(step)

    def after_step(optimizer: torch.optim.Optimizer, _args: Any, _kwargs: Any) -> None:
        if len(found.steps) == 1:
            weights = [weight for group in optimizer.param_groups for weight in group["params"]]
            found.steps[0].after = {named[id(weight)]: weight.detach().clone() for weight in weights}

    computed = torch.nn.functional.cross_entropy
    hooks = [
        register_module_forward_hook(forward, with_kwargs=True),
        register_optimizer_step_pre_hook(before_step),
        register_optimizer_step_post_hook(after_step),
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.nn.functional, "cross_entropy", cross_entropy)
        try:
            yield found
        finally:
            for hook in hooks:
                hook.remove()


def job_of(data: Path, folder: Path, **changes: Any) -> TrainJob:
    """The job of a tiny model on `data`, with the settings of `BASE` and these changes."""
    job = TrainJob(
        data=data,
        output=folder / "out",
        checkpoints=folder / "local",
        settings=TrainSettings(**(BASE | changes)),
        scratch=TINY,
    )
    job.output.mkdir(parents=True)
    job.checkpoints.mkdir(parents=True)
    return job


def watched(
    data: Path, folder: Path, *, keeper: Any = None, on_progress: Any = None, **changes: Any
) -> Watched:
    """Train the job of `job_of` in `folder`, and tell everything."""
    job = job_of(data, folder, **changes)
    with watching() as found:
        found.report = train(job, keeper=keeper, on_progress=on_progress)
    found.folder = folder
    found.weights = load_file(job.output / "model" / "model.safetensors")
    return found


def same(one: Weights, other: Weights) -> bool:
    """Whether two sets of weights are equal bit by bit."""
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
