"""Settings refuse what cannot be, and every field explains itself."""

import pytest
from pydantic import BaseModel, ValidationError

from flows.adapt import adapt
from flows.adapt_many import adapt_many
from flows.presets import preset_names, preset_settings
from tasks.clone_docs.settings import SourceSettings
from tasks.filter_markdown.settings import FilterSettings
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
        {"model": {"from_scratch": {}, "revision": "v2"}},
        {"filter": {"cleaning": "raw", "keep_code": False}},
        {"filter": {"near_duplicate_threshold": 0.5, "eval_fraction": 0}},
        {"filter": {"duplicates": "keep", "near_duplicate_threshold": 0.5, "eval_fraction": 0}},
        {"filter": {"languages": ["english"]}},
        {"filter": {"boilerplate_share": 1.5}},
        {"filter": {"min_chars": 300, "max_chars": 300}},
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


@pytest.mark.parametrize(
    ("train", "named"),
    [
        ({"eval_steps": 5}, "train has eval_steps 5: set"),
        ({"eval_steps": 5, "early_stopping_patience": 2}, "eval_steps 5 and early_stopping_patience 2: set"),
        ({"eval_steps": 5, "load_best_model_at_end": True}, "and load_best_model_at_end True: set"),
    ],
)
def test_nothing_is_chosen_by_a_loss_that_is_not_measured(train, named):
    """Without held-out documents, whatever needs their loss is refused by name, with the way out."""
    settings = {"filter": {"eval_fraction": 0}, "train": train}
    with pytest.raises(ValidationError, match=rf"eval_fraction is 0, .*{named} filter.eval_fraction above 0"):
        Settings.model_validate(settings)
    assert Settings.model_validate(settings | {"filter": {"eval_fraction": 0.1}}).train.eval_steps == 5
    assert Settings.model_validate(settings | {"train": {}}).filter.eval_fraction == 0


@pytest.mark.parametrize(
    ("flow", "source"),
    [
        (adapt, {"source": SourceSettings(url="a")}),
        (adapt_many, {"sources": [SourceSettings(url="a")], "corpus": "joint"}),
        (adapt_many, {"sources": [SourceSettings(url="a")], "corpus": "each"}),
    ],
    ids=["alone", "joint", "each"],
)
def test_a_flow_sees_what_two_stages_contradict(flow, source):
    """A deployment hands over each stage's settings by itself; they are seen together before all else."""
    held_out, train = FilterSettings(eval_fraction=0), TrainSettings(eval_steps=5)
    with pytest.raises(ValidationError, match="eval_fraction is 0"):
        flow.fn(**source, filter=held_out, train=train)


def test_a_form_that_sends_every_default_contradicts_nothing():
    """All defaults together are accepted, and so are they with one choice."""
    sent = Settings().model_dump(mode="json")
    assert Settings.model_validate(sent) == Settings()
    sent["filter"] |= {"cleaning": "raw", "duplicates": "keep", "eval_fraction": 0}
    sent["train"] |= {"lr_scheduler_type": "constant"}
    assert Settings.model_validate(sent).filter.cleaning == "raw"


def test_the_presets_contradict_nothing():
    """Each is accepted as it is."""
    assert preset_names()
    for name in preset_names():
        preset_settings(name)
