"""A training's settings are one form of five parts, and what does not go together is refused."""

from typing import Any

import pytest
from pydantic import ValidationError

from tasks.stage.keys import StageSettings
from tasks.train_model.settings import (
    CourseSettings,
    KeepingSettings,
    MachineSettings,
    MaskSettings,
    StepSettings,
    TrainSettings,
)

PARTS: list[type[StageSettings]] = [
    StepSettings,
    MaskSettings,
    CourseSettings,
    MachineSettings,
    KeepingSettings,
]


def test_the_form_has_the_parts_one_after_another() -> None:
    """Its fields are those of the parts, each once, in their order."""
    own = [[name for name in part.model_fields if name not in StageSettings.model_fields] for part in PARTS]
    assert list(TrainSettings.model_fields) == [name for names in own for name in names]
    form = TrainSettings.model_json_schema()
    assert form["title"] == "TrainSettings"
    assert list(form["properties"])[:2] == ["objective", "num_train_epochs"]
    assert list(form["properties"])[-2:] == ["resume", "report_to"]
    assert "$defs" not in form


@pytest.mark.parametrize(
    ("part", "bad", "message"),
    [
        (MaskSettings, {"mask_replace_prob": 0.9, "random_replace_prob": 0.2}, "add up to more than 1"),
        (CourseSettings, {"early_stopping_patience": 2}, "need eval_steps"),
        (CourseSettings, {"load_best_model_at_end": True}, "need eval_steps"),
        (MachineSettings, {"nodes": 2}, "nodes is 2: give rdzv_endpoint"),
        (MachineSettings, {"rdzv_endpoint": "a:1"}, "nodes is 1, and one machine meets no other"),
        (StepSettings, {"lr_scheduler_type": "constant", "warmup_share": 0.2}, "constant has no warmup"),
        (TrainSettings, {"short_seq_share": 0.5}, "objective mlm has no pairs: choose mlm.nsp"),
        (
            TrainSettings,
            {"parallelism": "fsdp", "load_best_model_at_end": True, "eval_steps": 5},
            "use parallelism ddp",
        ),
        (TrainSettings, {"packing": True, "objective": "mlm+nsp"}, "packing is for objective mlm"),
        (TrainSettings, {"packing": True, "attention_dropout": 0.1}, "packing needs attention_dropout 0"),
        (TrainSettings, {"packing": True, "torch_compile": True}, "exclude each other"),
    ],
)
def test_what_does_not_go_together_is_refused(
    part: type[StageSettings], bad: dict[str, Any], message: str
) -> None:
    """By the part that has the fields, and by the whole form."""
    for settings in (part, TrainSettings):
        with pytest.raises(ValidationError, match=message):
            settings(**bad)


@pytest.mark.parametrize(
    "good",
    [
        {"objective": "mlm+sop", "short_seq_share": 0.5},
        {"lr_scheduler_type": "constant"},
        {"lr_scheduler_type": "constant", "warmup_share": 0.0},
        {"lr_scheduler_type": "constant_with_warmup", "warmup_share": 0.2},
        {"nodes": 2, "rdzv_endpoint": "a:1"},
    ],
)
def test_what_goes_together_is_accepted(good: dict[str, Any]) -> None:
    """Also where a form sends all defaults along with the choice."""
    settings = TrainSettings(**good)
    assert TrainSettings.model_validate(settings.model_dump()) == settings
