"""What a training needs beyond a plain installation: looked for, before anything is cloned, not imported."""

from collections.abc import Iterable
from importlib.util import find_spec

from tasks.errors import UserError

MODULES = {"tensorboard": "tensorboard", "wandb": "wandb", "mlflow": "mlflow"}
"""What each tracker is imported as."""


def check_trackers(names: Iterable[str]) -> None:
    """See that the trackers are installed.

    Raises:
        UserError: one of them is not.
    """
    for name in names:
        if find_spec(MODULES[name]) is None:
            raise UserError(
                f"train.report_to has {name!r}, which is not installed: pip install 'docs-mlm[{name}]', "
                "or leave it out"
            )
