"""Store and work folder are found without the settings, where the settings have them."""

import pytest

from flows.command.layers import base_settings
from flows.command.places import places
from tasks.errors import UserError


@pytest.mark.parametrize("store", [None, "/flag", "s3://bucket/docs"])
@pytest.mark.parametrize(
    "environment",
    [{}, {"DOCS_MLM_STORE": "/store"}, {"docs_mlm_work_dir": "~/work"},
     {"DOCS_MLM_STORE": "s3://bucket", "DOCS_MLM_WORK_DIR": "work"}],
)  # fmt: skip
def test_places_are_those_of_the_settings(store, environment, monkeypatch):
    """From a flag, the environment or the defaults."""
    for name in ("DOCS_MLM_STORE", "DOCS_MLM_WORK_DIR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    settings = base_settings(store)
    assert places(store) == (settings.store, settings.work_dir)


def test_an_empty_store_is_refused_as_ever(monkeypatch):
    """By what the settings say of it."""
    monkeypatch.setenv("DOCS_MLM_STORE", "")
    with pytest.raises(UserError, match="store"):
        places(None)
