"""The model that training starts from: a checkpoint's safetensors, or random weights of chosen sizes."""

from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForMaskedLM, BertConfig, BertForMaskedLM
from transformers.modeling_utils import PreTrainedModel
from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

from tasks.errors import UserError
from tasks.settings import ScratchSettings
from tasks.stage import stage_logger

DROPOUTS = {
    "attention_dropout": ("attention_probs_dropout_prob", "attention_dropout"),
    "hidden_dropout": ("hidden_dropout_prob", "dropout"),
}
"""What model families call their dropout rates: BERT's name, then DistilBERT's and ModernBERT's."""


def load_model(
    location: str | Path | None,
    *,
    scratch: ScratchSettings | None = None,
    revision: str | None = None,
    vocab_size: int,
    pad_token_id: int,
    max_seq_length: int,
    seed: int,
    attention_dropout: float | None = None,
    hidden_dropout: float | None = None,
) -> PreTrainedModel:
    """The model in fp32, ready to train, with the dropout rates asked for (None keeps the checkpoint's).

    Args:
        location: a folder or hub name; None for a BERT of the sizes in `scratch`.
        vocab_size: tokens that the tokenizer knows.
        max_seq_length: tokens of the longest window.
        seed: of all weights that the checkpoint does not have.

    Raises:
        UserError: the model has no MLM head, no safetensors, too few positions or too small a vocabulary.
    """
    torch.manual_seed(seed)
    if location is None:
        config = _scratch_config(scratch or ScratchSettings(), vocab_size, pad_token_id)
    else:
        config = AutoConfig.from_pretrained(location, revision=revision, trust_remote_code=False)
    _check(config, str(location), vocab_size, max_seq_length)
    own = set_dropout(config, attention_dropout=attention_dropout, hidden_dropout=hidden_dropout)
    model = BertForMaskedLM(config) if location is None else _from_checkpoint(location, revision, config)
    # What is saved keeps the checkpoint's own rates, for whoever fine-tunes it.
    for name, rate in own.items():
        setattr(model.config, name, rate)
    return model


def set_dropout(config: object, **rates: float | None) -> dict[str, float]:
    """Set a configuration's dropout rates, and return those that it had."""
    own = {}
    for kind, rate in rates.items():
        for name in DROPOUTS[kind]:
            if rate is not None and hasattr(config, name):
                own[name] = getattr(config, name)
                setattr(config, name, rate)
    return own


def _scratch_config(scratch: ScratchSettings, vocab_size: int, pad_token_id: int) -> BertConfig:
    return BertConfig(
        vocab_size=vocab_size,
        pad_token_id=pad_token_id,
        **scratch.model_dump(
            include={
                "hidden_size",
                "num_hidden_layers",
                "num_attention_heads",
                "intermediate_size",
                "max_position_embeddings",
            }
        ),
    )


def _check(config: object, name: str, vocab_size: int, max_seq_length: int) -> None:
    kind = getattr(config, "model_type", "?")
    if kind not in MODEL_FOR_MASKED_LM_MAPPING_NAMES:
        raise UserError(
            f"{name} is of type {kind!r}, which has no MLM head: choose a masked-language model, "
            "such as google-bert/bert-base-uncased"
        )
    embeddings = getattr(config, "vocab_size", vocab_size)
    if vocab_size > embeddings:
        raise UserError(
            f"the tokenizer knows {vocab_size} tokens, but {name} has embeddings for {embeddings}: "
            "use the tokenizer that the model was trained with"
        )
    positions = getattr(config, "max_position_embeddings", max_seq_length)
    if kind in ("roberta", "xlm-roberta", "camembert"):  # these count positions from the padding id + 1
        positions -= getattr(config, "pad_token_id", 1) + 1
    if max_seq_length > positions:
        raise UserError(
            f"max_seq_length is {max_seq_length}, but {name} has {positions} positions: "
            f"choose {positions} or less"
        )


def _from_checkpoint(location: str | Path, revision: str | None, config: object) -> PreTrainedModel:
    try:
        model, info = AutoModelForMaskedLM.from_pretrained(
            location,
            revision=revision,
            config=config,
            dtype=torch.float32,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except OSError as error:
        raise UserError(
            f"{location} has no safetensors weights that load ({str(error).splitlines()[0]}): "
            "save the model with save_pretrained; pickled weights are not loaded"
        ) from error
    missing = sorted(info["missing_keys"])
    if missing:
        prefix = model.base_model_prefix + "."
        if any(key.startswith(prefix) for key in missing):
            raise UserError(
                f"{location} lacks weights of the encoder ({missing[0]} and {len(missing) - 1} more): "
                "its files are not whole"
            )
        stage_logger().warning(
            "%s has no weights for its MLM head, which starts afresh: %s", location, ", ".join(missing)
        )
    return model
