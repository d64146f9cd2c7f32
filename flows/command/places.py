"""Where the store and the work folder are, for a verb that is asked often: all settings take time to load."""

import os
from pathlib import Path

STORE, WORK_DIR = "~/.docs-mlm/store", Path("~/.cache/docs-mlm")
"""As the settings have them."""
_ENVIRONMENT = {"store": "docs_mlm_store", "work_dir": "docs_mlm_work_dir"}


def places(store: str | None) -> tuple[str, Path]:
    """The store, from flag, environment or default, and the work folder, from the latter two.

    Raises:
        UserError: one of them is empty.
    """
    environment = {name.lower(): value for name, value in os.environ.items()}
    given = {key: environment.get(name) for key, name in _ENVIRONMENT.items()}
    chosen = store or given["store"], given["work_dir"]
    if "" in chosen:
        from flows.command.layers import base_settings  # which says what is wrong

        settings = base_settings(store)
        return settings.store, settings.work_dir
    return chosen[0] or STORE, WORK_DIR if chosen[1] is None else Path(chosen[1])
