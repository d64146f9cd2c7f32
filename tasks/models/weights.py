"""A checkpoint's weights: from safetensors alone, and without transformers' own report of what it lacks."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from tasks.errors import UserError, first_line


def load_weights(architecture: Any, location: str | Path, **options: Any) -> tuple[Any, list[str]]:
    """A model, and the names of the weights that the checkpoint lacks, which are random.

    Args:
        architecture: the class to load, such as `AutoModelForMaskedLM`.
        location: a folder or hub name.
        options: of `from_pretrained`.

    Raises:
        UserError: there are no safetensors, or they are damaged, not of the sizes in `config.json` or NaN.
    """
    try:
        with _without_report():
            model, info = architecture.from_pretrained(
                location, use_safetensors=True, output_loading_info=True, **options
            )
    except (OSError, SafetensorError) as error:
        raise UserError(
            f"{location} has no safetensors weights that load ({first_line(error)}): "
            "save the model with save_pretrained; pickled weights are not loaded"
        ) from error
    except RuntimeError as error:
        if "mismatch" not in str(error):
            raise
        raise UserError(
            f"the weights in {location} do not have the sizes that its config.json tells: "
            "its files are of two models; save the model again with save_pretrained"
        ) from error
    check_finite(model, location)
    return model, sorted(info["missing_keys"])


def check_finite(model: Any, location: str | Path) -> None:
    """See that every weight is a number that can be computed with.

    Raises:
        UserError: one is not, which would make every loss NaN.
    """
    for name, weight in model.named_parameters():
        if not (finite := weight.isfinite()).all():
            raise UserError(
                f"{name} in the weights of {location} has {int((~finite).sum())} of {weight.numel()} numbers "
                "that are NaN or infinite, which every loss would be: take an earlier checkpoint, "
                "or save the model again in fp32"
            )


@contextmanager
def _without_report() -> Iterator[None]:
    """Within, transformers logs errors only: whoever loads says what lacks, and what to do about it."""
    from transformers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(before)
