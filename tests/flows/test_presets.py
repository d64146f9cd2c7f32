"""The presets are what they are meant to be, value by value; a settings file that is none is refused."""

from typing import Any

import pytest

from flows.presets import preset_names, preset_settings
from tasks.settings import Settings


def named(stage: str) -> list[str]:
    """The settings of a stage."""
    return list(type(getattr(Settings(), stage)).model_fields)


NOTEBOOK = {
    "source.include": ["**/*.md"],
    "source.exclude": [],
    "source.recursive": True,
    "filter.cleaning": "raw",
    "filter.min_chars": 200,
    "filter.max_chars": 1_000_000_000,
    "filter.duplicates": "keep",
    "filter.eval_fraction": 0.0,
    "tokenize.mode": "truncate",
    "tokenize.max_seq_length": 128,
    "model.name_or_path": "google-bert/bert-base-uncased",
    "model.revision": None,
    "model.from_scratch": None,
    "train.objective": "mlm",
    "train.num_train_epochs": 3.0,
    "train.max_steps": -1,
    "train.tokens_per_step": 0,
    "train.per_device_train_batch_size": 16,
    "train.gradient_accumulation_steps": 1,
    "train.learning_rate": 5e-5,
    "train.warmup_share": 0.0,
    "train.lr_scheduler_type": "linear",
    "train.weight_decay": 0.0,
    "train.max_grad_norm": 1.0,
    "train.mlm_probability": 0.15,
    "train.final_mlm_probability": None,
    "train.masking": "token",
    "train.code_mask_weight": 1.0,
    "train.mask_replace_prob": 0.8,
    "train.random_replace_prob": 0.1,
    "train.seed": 42,
    "train.precision": "fp32",
    "train.attention_dropout": None,
    "train.hidden_dropout": None,
    "train.eval_steps": 0,
    "train.early_stopping_patience": 0,
    "train.load_best_model_at_end": False,
    "train.nodes": 1,
    "train.torch_compile": False,
    "train.packing": False,
    "train.save_steps": 500,
    "train.save_total_limit": 2,
    "evaluate.enabled": False,
    "embed.enabled": False,
}
"""What the notebook said, or left to the defaults of transformers' TrainingArguments and of BERT."""
NOT_IN_THE_NOTEBOOK = {
    # A user's own places and names.
    "source.url", "source.ref", "source.checkout", "source.folder", "source.json_file", "source.fetch",
    "source.credentials_block", "publish.model_name", "publish.export_texts", "store", "work_dir",
    # Without a meaning for its other choices: raw text, all copies, no pairs, one machine.
    "filter.keep_code", "filter.near_duplicate_threshold", "train.short_seq_share", "train.parallelism",
    "train.rdzv_endpoint", "filter.dialects", "filter.languages", "filter.boilerplate_share",
    # What it had no word for, and what changes nothing of the model; no file of its was near the limit.
    "source.max_file_bytes", "train.processes", "train.logging_steps", "train.dataloader_num_workers",
    "train.resume", "train.report_to",
    # It trained no retrieval model, and measured nothing.
    *(f"{name}.{field}" for name in ("pairs", "embed", "evaluate") for field in named(name)),
} - {"evaluate.enabled", "embed.enabled"}  # fmt: skip
DEMO = {
    "tokenize.max_seq_length": 128,
    "model.from_scratch": {
        "vocab_size": 4096,
        "lowercase": True,
        "hidden_size": 192,
        "num_hidden_layers": 3,
        "num_attention_heads": 3,
        "intermediate_size": 768,
        "max_position_embeddings": 512,
    },
    "train.num_train_epochs": 6.0,
    "train.per_device_train_batch_size": 32,
    "train.learning_rate": 1e-3,
    "train.save_steps": 100,
    "evaluate.max_tokens": 20_000,
}
FULL = {
    "filter.cleaning": "text",
    "tokenize.mode": "chunk",
    "tokenize.max_seq_length": 512,
    "model.name_or_path": "google-bert/bert-base-uncased",
    "train.num_train_epochs": 3.0,
    "train.per_device_train_batch_size": 32,
    "train.gradient_accumulation_steps": 4,
    "train.learning_rate": 1e-4,
    "train.warmup_share": 0.06,
    "train.save_steps": 500,
}


def values_of(settings: Settings) -> dict[str, Any]:
    """Every setting by its name, as in `train.seed`; a new model's sizes are one."""
    found: dict[str, Any] = {}
    for name, value in settings.model_dump().items():
        found |= (
            {f"{name}.{key}": one for key, one in value.items()} if isinstance(value, dict) else {name: value}
        )
    return found


def test_the_notebook_preset_is_the_notebook():
    """Each setting that the notebook decides has the notebook's value; of each other it is known why not."""
    values = values_of(preset_settings("notebook"))
    assert {name: value for name, value in values.items() if name not in NOT_IN_THE_NOTEBOOK} == NOTEBOOK


@pytest.mark.parametrize(("name", "meant"), [("demo", DEMO), ("full", FULL)])
def test_a_preset_has_the_values_that_are_meant(name, meant):
    """What it changes is what is written here; everything else is the default."""
    assert values_of(preset_settings(name)) == values_of(Settings()) | meant


def test_no_preset_is_without_a_test():
    """The presets that there are, are those above."""
    assert preset_names() == ["demo", "full", "notebook"]
