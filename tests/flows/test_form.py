"""The form: what is shown at once, what is folded, and that the server takes both shapes and nothing else."""

from typing import Any

import pytest
from prefect.utilities.callables import parameter_schema
from prefect.utilities.schema_tools.validation import validate

from flows.adapt import adapt
from flows.adapt_many import adapt_many
from flows.demo import demo
from flows.form import STAGES, form_of
from tasks.settings import Settings

DEPLOYED: dict[str, Any] = {
    "source": {"url": "https://example.org/docs.git"},
    "train": {"num_train_epochs": 3, "learning_rate": 1e-4},
    "store": "/store",
}
SHOWN = {
    "source": {"Git URL": ["url", "ref"], "Local checkout": ["checkout", "ref"], "Folder": ["folder"],
               "JSON file": ["json_file"]},
    "model": {"Checkpoint": ["name_or_path"], "New BERT": ["from_scratch"]},
    "train": ["objective", "num_train_epochs", "max_steps"],
    "embed": ["enabled"],
    "tokenize": ["max_seq_length"],
    "store": [],
}  # fmt: skip


def form(flow=adapt, **parameters: Any) -> dict[str, Any]:
    """The form of a flow whose deployment has these parameters."""
    return form_of(parameter_schema(flow.fn).model_dump(), DEPLOYED | parameters)


def refused(parameters: dict[str, Any], flow=adapt) -> list[str]:
    """What the server says of a run's parameters: the place of each fault, and the fault."""
    found = validate(DEPLOYED | parameters, form(flow), ignore_required=True)
    return [f"{'.'.join(map(str, error.absolute_path))}: {error.message}" for error in found]


def shown(about: dict[str, Any], made: dict[str, Any]) -> Any:
    """The fields of a property that the form shows, or of each choice that it offers."""
    if "$ref" in about:
        about = made["definitions"][about["$ref"].rpartition("/")[2]]
    if "anyOf" in about:
        choices = [made["definitions"][one["$ref"].rpartition("/")[2]] for one in about["anyOf"]]
        return {choice["title"]: list(choice["properties"]) for choice in choices}
    return list(about.get("properties", {}))


def test_what_most_runs_need_is_shown_and_no_more():
    """A setting is folded unless it is marked: a new one makes the form no longer."""
    made = form()
    properties = sorted(made["properties"].items(), key=lambda item: item[1]["position"])
    assert [name for name, _ in properties] == [*SHOWN, "expert"]
    assert {name: shown(about, made) for name, about in properties if name != "expert"} == SHOWN
    several = form(adapt_many)
    assert list(several["properties"])[:4] == ["corpus", "at_once", "sources", "model"]
    assert shown(several["properties"]["sources"]["items"], several) == SHOWN["source"]


def test_every_setting_is_in_the_form_once():
    """What is not shown at once is under `expert`, with what it does, and nothing is in both."""
    change = form()["properties"]["expert"]["anyOf"][0]["properties"]
    for stage, cls in STAGES.items():
        first = SHOWN.get(stage, [])
        first = {one for names in first.values() for one in names} if isinstance(first, dict) else set(first)
        folded = change[stage]["anyOf"][0]["properties"]
        assert sorted([*first, *folded]) == sorted(cls.model_fields), stage
        assert all(about["title"] and about["description"] for about in folded.values())
    assert set(change) == {*STAGES, "work_dir"}


def test_what_is_folded_is_valid_where_it_always_stood():
    """The server takes every setting in its stage, all defaults at once, and under `expert`."""
    everything = Settings().model_dump(mode="json") | {"source": DEPLOYED["source"]}
    assert refused(everything) == []
    assert refused({"train": {"warmup_share": 0.1}, "filter": {"min_chars": 1}, "work_dir": "/work"}) == []
    assert (
        refused({"model": {"from_scratch": {"vocab_size": 300}}, "source": {"url": None, "folder": "/a"}})
        == []
    )
    assert refused({"expert": {"train": {"seed": 7}, "filter": None, "work_dir": "/work"}}) == []
    assert refused({"expert": None}) == []
    assert refused({"sources": [{"url": "a", "include": ["b"]}], "corpus": "joint"}, adapt_many) != []
    several = {"sources": [{"url": "a", "include": ["b"]}], "corpus": "joint"}
    assert validate(several, form(adapt_many), ignore_required=True) == []


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"train": {"learning_rate": 7}}, "train.learning_rate: 7 is greater than the maximum of 1"),
        ({"train": {"num_train_epochs": 0}}, "train.num_train_epochs: 0 is less than or equal to"),
        ({"train": {"warmup": 0}}, "train: 'warmup' does not match any of the regexes"),
        ({"filter": {"min_chars": -1}}, "filter.min_chars: -1 is less than the minimum of 0"),
        ({"source": {"max_file_bytes": 0}}, "source.max_file_bytes: 0 is less than the minimum of 1"),
        ({"source": {"urls": "a"}}, "source: 'urls' does not match any of the regexes"),
        ({"model": {"from_scratch": {"hidden_size": 1}}}, "model.from_scratch.hidden_size: 1 is less than"),
        ({"expert": {"train": {"learning_rate": 7}}}, "expert.train.learning_rate: 7 is greater than"),
        ({"expert": {"train": {"warmup": 0}}}, "expert.train: 'warmup' does not match any"),
        ({"expert": {"train": {"max_steps": 4}}}, "expert.train: 'max_steps' does not match any"),
        ({"expert": {"trian": {}}}, "expert: 'trian' does not match any"),
        ({"sotre": "/store"}, ": 'sotre' does not match any"),
    ],
)
def test_the_server_says_which_field_is_wrong(parameters, named):
    """Of a value out of bounds and of an unknown name it says one thing, and at its own place."""
    assert [fault[: len(named)] for fault in refused(parameters)] == [named]


def test_what_is_opened_shows_what_the_deployment_has():
    """A folded field begins with the deployment's value; what may be empty is one field, no choice."""
    train = form()["properties"]["expert"]["anyOf"][0]["properties"]["train"]["anyOf"][0]["properties"]
    assert train["learning_rate"]["default"] == 1e-4
    assert train["seed"]["default"] == 42
    assert train["final_mlm_probability"]["type"] == "number"
    assert "default" not in train["final_mlm_probability"]
    assert train["attention_dropout"]["anyOf"], "here none is a choice of its own"


def test_a_form_is_made_once():
    """A schema that is a form already stays; a flow without `expert` is closed and no more."""
    assert form_of(form(), DEPLOYED) == form()
    schema = parameter_schema(demo.fn).model_dump()
    assert form_of(schema, {}) == schema | {"additionalProperties": False}
