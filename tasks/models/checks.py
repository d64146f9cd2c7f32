"""Whether a model can do what is asked of it, seen before anything is fetched or trained."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from huggingface_hub.errors import StrictDataclassError

from tasks.errors import UserError, first_line
from tasks.models.limits import usable_positions
from tasks.models.vocabulary import check_tokens

if TYPE_CHECKING:  # it knows the store, and children that train do without
    from tasks.models.pinned import PinnedModel


def check_base_model(base: PinnedModel, work_dir: Path, objective: str = "mlm") -> None:
    """See that a checkpoint can do what is to be learnt. Imports torch, so only where training follows.

    Raises:
        UserError: its tokenizer lacks a token, its weights an embedding, or its kind of model the head.
    """
    if base.location is None:
        return
    from transformers import AutoTokenizer

    from tasks.models.pinned import local_files

    folder = local_files(base, work_dir, weights=False)
    config = read_config(folder, base.name)
    check_masks(config, base.name)
    if objective != "mlm":
        check_pairs(config, base.name)
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except (ValueError, OSError, KeyError) as error:
        raise UserError(_own_code(base.name, error)) from error
    check_special_tokens(tokenizer, base.name)
    check_tokens(max(tokenizer.get_vocab().values(), default=-1) + 1, config.to_dict(), base.name)


def check_special_tokens(tokenizer: Any, name: str) -> None:
    """See that masks can be set, and texts of different lengths be put below each other.

    Raises:
        UserError: its tokenizer has no mask token, or none for padding.
    """
    if tokenizer.mask_token_id is None:
        raise UserError(
            f"the tokenizer of {name} has no mask token: choose a masked-language model, "
            "such as google-bert/bert-base-uncased"
        )
    if tokenizer.pad_token_id is None:
        raise UserError(
            f"the tokenizer of {name} has no padding token: set tokenizer.pad_token to one of its tokens "
            "and save it again"
        )


def check_window(max_seq_length: int, base: PinnedModel) -> None:
    """See that windows fit the model.

    Raises:
        UserError: they are longer than its positions.
    """
    check_positions(max_seq_length, base.max_positions, base.name)


def read_config(location: str | Path, name: str, *, revision: str | None = None) -> Any:
    """A model's configuration, as transformers reads it.

    Raises:
        UserError: transformers does not know its type, or does not take one of its values.
    """
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(location, revision=revision, trust_remote_code=False)
    except StrictDataclassError as error:
        problem = " ".join(str(error).split())
        raise UserError(
            f"config.json of {name} has a value that its type of model does not take ({problem}): "
            "save the model again with save_pretrained"
        ) from error
    except (ValueError, OSError, KeyError) as error:
        raise UserError(_own_code(name, error)) from error


def check_masks(config: Any, name: str) -> None:
    """See that a model can fill masks.

    Raises:
        UserError: its type has no MLM head.
    """
    from transformers import MODEL_FOR_MASKED_LM_MAPPING

    if type(config) not in MODEL_FOR_MASKED_LM_MAPPING:
        raise UserError(
            f"{name} is of type {config.model_type!r}, which has no MLM head: choose a masked-language "
            "model, such as google-bert/bert-base-uncased"
        )


def check_pairs(config: Any, name: str) -> None:
    """See that a model can learn whether two texts belong together.

    Raises:
        UserError: its type has no head for that, or it knows one type of segment only.
    """
    if config.model_type != "bert":
        raise UserError(
            f"{name} is of type {config.model_type!r}, which has no head for pairs of sentences: "
            "choose a BERT, such as google-bert/bert-base-uncased, or --train.objective mlm"
        )
    if config.type_vocab_size < 2:
        raise UserError(
            f"{name} knows {config.type_vocab_size} type of segment, and pairs have 2: choose a BERT with "
            "type_vocab_size 2, or --train.objective mlm"
        )


def check_sizes(config: Any, name: str, *, vocab_size: int, max_seq_length: int) -> None:
    """See that a model has an embedding for every token, and a position for each of a window's.

    Raises:
        UserError: it has too few.
    """
    check_tokens(vocab_size, config.to_dict(), name)
    check_positions(max_seq_length, usable_positions(config.to_dict()), name)


def check_positions(max_seq_length: int, positions: int, name: str) -> None:
    """See that a window's tokens have a position each.

    Raises:
        UserError: the model takes fewer.
    """
    if max_seq_length > positions:
        raise UserError(
            f"tokenize.max_seq_length is {max_seq_length}, but {name} has {positions} positions: "
            f"choose {positions} or less"
        )


def _own_code(name: str, error: Exception) -> str:
    return (
        f"{name} does not load without code of its own ({first_line(error)}): "
        "choose a checkpoint of a model type that transformers knows, such as BERT"
    )
