"""Settings refuse what cannot be, and every field explains itself."""

import pytest
from pydantic import BaseModel, ValidationError

from tasks.clone_docs.settings import SourceSettings
from tasks.models.settings import ModelSettings
from tasks.settings import Settings
from tasks.stage.keys import StageSettings
from tasks.train_model.settings import TrainSettings


def all_fields(model: type[BaseModel]):
    """Every field of a settings model and of the models in it."""
    for name, field in model.model_fields.items():
        kinds = [field.annotation, *getattr(field.annotation, "__args__", ())]
        nested = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, StageSettings)]
        yield f"{model.__name__}.{name}", field, bool(nested)
        for kind in nested:
            yield from all_fields(kind)


@pytest.mark.parametrize(("name", "field", "nested"), list(all_fields(Settings)))
def test_every_field_has_a_title_and_a_description(name, field, nested):
    """The form shows no bare Python name: each field has a title, and each leaf a description."""
    assert field.title, name
    assert nested or field.description, name


@pytest.mark.parametrize(("name", "field", "nested"), list(all_fields(Settings)))
def test_every_number_has_bounds(name, field, nested):
    """No number is accepted without a lower bound."""
    if field.annotation in (int, float):
        assert any(hasattr(mark, "ge") or hasattr(mark, "gt") for mark in field.metadata), name


@pytest.mark.parametrize(
    "bad",
    [
        {"sorce": {}},
        {"train": {"learning_rat": 1}},
        {"train": {"learning_rate": "fast"}},
        {"train": {"learning_rate": -1}},
        {"train": {"mlm_probability": 1.5}},
        {"train": {"mask_replace_prob": 0.9, "random_replace_prob": 0.2}},
        {"tokenize": {"max_seq_length": 4}},
        {"source": {"url": "a", "folder": "b"}},
        {"source": {"folder": "a", "ref": "main"}},
        {"model": {"from_scratch": {"hidden_size": 100, "num_attention_heads": 3}}},
        {"model": {"from_scratch": {}, "name_or_path": "other/bert"}},
        {"publish": {"model_name": "../up"}},
    ],
)
def test_bad_settings_are_refused(bad):
    """Unknown names, wrong types, values out of bounds and contradictions are refused."""
    with pytest.raises(ValidationError):
        Settings.model_validate(bad)


def test_settings_do_not_change_once_read():
    """A stage cannot alter the settings of the next."""
    settings = TrainSettings()
    with pytest.raises(ValidationError):
        settings.learning_rate = 1.0


def test_a_form_that_sends_all_its_defaults_is_accepted():
    """The Prefect form sends every default along with a choice; that is no contradiction."""
    sent = ModelSettings().model_dump() | {"from_scratch": {"hidden_size": 64, "num_attention_heads": 2}}
    assert ModelSettings.model_validate(sent).from_scratch.hidden_size == 64
    assert SourceSettings.model_validate(SourceSettings().model_dump() | {"url": "x"}).url == "x"
