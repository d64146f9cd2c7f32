"""The model that training starts from: a checkpoint's safetensors, or random weights of chosen sizes."""

from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor
from transformers import AutoModelForMaskedLM, BertConfig, BertForMaskedLM, BertForPreTraining
from transformers.modeling_utils import PreTrainedModel

from tasks.errors import UserError
from tasks.models.checks import check_masks, check_pairs, check_sizes, read_config
from tasks.models.settings import ScratchSettings
from tasks.models.weights import load_weights
from tasks.stage.log import stage_logger
from tasks.train_model.batches.counting import Tokens
from tasks.training.dropout import set_dropout

PAIR_HEAD = ("bert.pooler.", "cls.seq_relationship.")
"""How the names of BERT's weights for pairs of sentences begin."""


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
    pairs: bool = False,
) -> PreTrainedModel:
    """The model in fp32, ready to train, with the dropout rates asked for (None keeps the checkpoint's).

    Args:
        location: a folder or hub name; None for a BERT of the sizes in `scratch`.
        vocab_size: tokens that the tokenizer knows.
        max_seq_length: tokens of the longest window.
        seed: of all weights that the checkpoint does not have.
        pairs: with the head of next-sentence prediction too.

    Raises:
        UserError: the model has no such head, no safetensors, too few positions or too small a vocabulary.
    """
    torch.manual_seed(seed)
    if location is None:
        config = _scratch_config(scratch or ScratchSettings(), vocab_size, pad_token_id)
    else:
        config = read_config(location, str(location), revision=revision)
    name = str(location or "a BERT from scratch")
    check_masks(config, name)
    check_sizes(config, name, vocab_size=vocab_size, max_seq_length=max_seq_length)
    if pairs:
        check_pairs(config, name)
    own = set_dropout(config, attention_dropout=attention_dropout, hidden_dropout=hidden_dropout)
    if location is not None:
        model = _from_checkpoint(
            location, revision, config, BertForPreTraining if pairs else AutoModelForMaskedLM
        )
    else:
        model = BertForPreTraining(config) if pairs else BertForMaskedLM(config)
        model.starts_afresh = True
    # What is saved keeps the checkpoint's own rates, for whoever fine-tunes it.
    for name, rate in own.items():
        setattr(model.config, name, rate)
    return model


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


def _from_checkpoint(
    location: str | Path, revision: str | None, config: object, architecture: Any
) -> PreTrainedModel:
    model, missing = load_weights(
        architecture,
        location,
        revision=revision,
        config=config,
        dtype=torch.float32,
        trust_remote_code=False,
    )
    prefix = model.base_model_prefix + "."
    pair_head = [key for key in missing if key.startswith(PAIR_HEAD)]
    encoder = [key for key in missing if key.startswith(prefix) and key not in pair_head]
    if encoder:
        raise UserError(
            f"{location} lacks weights of the encoder ({encoder[0]} and {len(encoder) - 1} more): "
            "its files are not whole"
        )
    for name, keys in (("NSP", pair_head), ("MLM", [key for key in missing if key not in pair_head])):
        if keys:
            stage_logger().warning(
                "%s has no weights for its %s head, which starts afresh: %s", location, name, ", ".join(keys)
            )
    bias = _output_bias(model)
    names = {name for name, one in model.named_parameters(remove_duplicate=False) if one is bias}
    model.starts_afresh = bool(names.intersection(missing))
    return model


def start_from_frequencies(model: PreTrainedModel, counts: Tokens) -> bool:
    """Let an MLM head that starts afresh predict each token as often as the corpus has it.

    Its bias becomes the tokens' log frequencies, which it would otherwise spend its first hundred steps on
    (Karpathy, A Recipe for Training Neural Networks, 2019: "init well"). A head that came with the
    checkpoint is left as it is.

    Args:
        counts: (tokenizer's vocabulary,) how often each token is to be predicted.

    Returns:
        Whether the head starts afresh and has a bias.
    """
    bias = _output_bias(model)
    if bias is None or not getattr(model, "starts_afresh", False):
        return False
    smooth = torch.full((len(bias),), 0.5, dtype=torch.float64)
    smooth[: len(counts)] += torch.from_numpy(counts)
    with torch.no_grad():
        bias.copy_((smooth / smooth.sum()).log())
    return True


def _output_bias(model: PreTrainedModel) -> Tensor | None:
    bias: Tensor | None = getattr(model.get_output_embeddings(), "bias", None)
    return bias


def keep_pair_head(trained: Path, location: Path) -> bool:
    """Give a BERT that was trained by MLM alone the pooler and NSP head back that its checkpoint has.

    They are as they were, but whoever fine-tunes the pooler, or asks whether sentences follow, has them.

    Args:
        trained: a folder with the finished model, to which they are added.
        location: the folder of the checkpoint that training began from.

    Returns:
        Whether there was such a head.
    """
    if not _has_pair_head(location):
        return False
    whole, _ = load_weights(BertForPreTraining, location, dtype=torch.float32)
    after, _ = load_weights(BertForMaskedLM, trained, dtype=torch.float32)
    whole.load_state_dict(after.state_dict(), strict=False)
    whole.config = after.config
    whole.save_pretrained(trained)
    return True


def _has_pair_head(location: Path) -> bool:
    """Whether a folder's safetensors hold all of a BERT's pooler and NSP head."""
    found: set[str] = set()
    for path in location.glob("model*.safetensors"):
        with safe_open(path, "pt") as weights:
            names: list[str] = weights.keys()
            found.update(name for name in names if name.startswith(PAIR_HEAD))
    return len(found) == 4
