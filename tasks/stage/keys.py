"""What all settings have in common, and which of them are part of a result's key.

One pydantic definition a stage is the Prefect form, the command's flags, the YAML file and the validation.
Every field says what it is, its unit and its bounds. A field marked `NotInKey` changes how a stage works
but not what comes out, so changing it reuses what is stored. The form folds a field, unless it is marked
`MostUsed` or `Instead`.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.fields import FieldInfo


class NotInKey:
    """Marks a setting that does not change a stage's result, and so is left out of its key."""


class MostUsed:
    """Marks a setting that most runs need: the form in the Prefect UI shows it at once."""


class Instead:
    """Marks a setting that takes the place of its class's most used ones: the form has people choose."""

    def __init__(self, *beside: str) -> None:
        self.beside = beside
        """Other settings of the class that go with it."""


def is_marked(field: FieldInfo, kind: type) -> bool:
    """Whether a field has a mark, be it written as a class or as an instance."""
    return any(mark is kind or isinstance(mark, kind) for mark in field.metadata)


class StageSettings(BaseModel):
    """Base of all settings: unknown names are refused, values do not change once read."""

    # What was given is left out of pydantic's messages: a URL among it may hold a password.
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, hide_input_in_errors=True)

    def changed(self, name: str) -> bool:
        """Whether a setting is not its default; a form sends all defaults along with a choice."""
        return bool(getattr(self, name) != type(self).model_fields[name].default)

    def keyed(self) -> dict[str, Any]:
        """The settings that change the result, as JSON-ready values."""
        kept: dict[str, Any] = {}
        for name, field in type(self).model_fields.items():
            if is_marked(field, NotInKey):
                continue
            value = getattr(self, name)
            kept[name] = value.keyed() if isinstance(value, StageSettings) else value
        return kept
