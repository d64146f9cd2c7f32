"""What a training needs beyond a plain installation is looked for."""

import pytest

from tasks.errors import UserError
from tasks.training import extras


def test_a_missing_tracker_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tracker that is not installed is named, with the extra that brings it."""
    monkeypatch.setitem(extras.MODULES, "wandb", "a_module_that_nobody_has")
    with pytest.raises(UserError, match=r"'wandb', which is not installed: pip install 'docs-mlm\[wandb\]'"):
        extras.check_trackers(["wandb"])
