"""Whether a model can do what is asked of it, seen before anything is fetched or trained."""

from pathlib import Path

from tasks.errors import UserError
from tasks.models.pinned import PinnedModel, _first_line, local_files


def check_base_model(base: PinnedModel, work_dir: Path, objective: str = "mlm") -> None:
    """See that a checkpoint can do what is to be learnt. Imports torch, so only where training follows.

    Raises:
        UserError: its tokenizer has no mask token, or its kind of model no head for the objective.
    """
    if base.location is None:
        return
    from transformers import AutoConfig, AutoTokenizer
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

    folder = local_files(base, work_dir, weights=False)
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except (ValueError, OSError, KeyError) as error:
        raise UserError(
            f"{base.name} does not load without code of its own ({_first_line(error)}): "
            "choose a checkpoint of a model type that transformers knows, such as BERT"
        ) from error
    if config.model_type not in MODEL_FOR_MASKED_LM_MAPPING_NAMES:
        raise UserError(
            f"{base.name} is of type {config.model_type!r}, which has no MLM head: choose a masked-language "
            "model, such as google-bert/bert-base-uncased"
        )
    if objective != "mlm" and config.model_type != "bert":
        raise UserError(
            f"{base.name} is of type {config.model_type!r}, which has no head for pairs of sentences: "
            "choose a BERT, such as google-bert/bert-base-uncased, or --train.objective mlm"
        )
    if tokenizer.mask_token_id is None:
        raise UserError(
            f"the tokenizer of {base.name} has no mask token: choose a masked-language model, "
            "such as google-bert/bert-base-uncased"
        )


def check_window(max_seq_length: int, base: PinnedModel) -> None:
    """See that windows fit the model.

    Raises:
        UserError: they are longer than its positions.
    """
    if max_seq_length > base.max_positions:
        most = base.max_positions
        raise UserError(
            f"tokenize.max_seq_length is {max_seq_length}, but {base.name} has {most} positions: "
            f"choose {most} or less"
        )
