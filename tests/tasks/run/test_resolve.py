"""What a run needs is looked for when its plan is made, before it reads anything."""

from pathlib import Path

import pytest

from tasks.errors import UserError
from tasks.records import STAGES
from tasks.run.plan import make_plan
from tasks.run.resolve import check_ready
from tasks.settings import Settings
from tasks.store.folders import Store
from tasks.store.manifest import Manifest
from tasks.train_model.stage import train_model
from tasks.training import extras


def test_a_missing_tracker_is_refused_before_anything_is_cloned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told with its extra while the store is empty, and not asked for when the model is there."""
    monkeypatch.setitem(extras.MODULES, "mlflow", "a_module_that_nobody_has")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "page.md").write_text("A page.")
    settings = Settings.model_validate(
        {
            "source": {"folder": str(tmp_path / "docs")},
            "model": {"from_scratch": {}},
            "train": {"report_to": ["mlflow"]},
            "store": str(tmp_path / "store"),
            "work_dir": str(tmp_path / "work"),
        }
    )
    plan = make_plan(settings)
    with pytest.raises(UserError, match=r"pip install 'docs-mlm\[mlflow\]'"):
        check_ready(plan, settings)
    store = Store(settings.store)
    assert not any(store.folders(store.uri(stage)) for stage in STAGES)
    target, empty = plan[train_model], tmp_path / "empty"
    empty.mkdir()
    store.commit(empty, target.uri, Manifest(stage=target.stage, key=target.key, record={"key": target.key}))
    check_ready(make_plan(settings), settings)
