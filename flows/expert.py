"""What a run is given under `expert`: the settings that the form folds, each of them also one of its stage.

The UI cannot fold a field of an object, only a whole object. So the form has those fields once more, in an
object of their own, and what it sends in there goes over what stands in the stages.
"""

from typing import Annotated, Any

from pydantic import AfterValidator, ValidationError, ValidationInfo

from flows.parameters import DEFAULTS
from flows.presets import describe
from tasks.clone_docs.git.access import check_source_secret
from tasks.clone_docs.settings import SourceSettings
from tasks.errors import UserError
from tasks.settings import Settings
from tasks.stage.deployment import deployment_defaults
from tasks.stage.keys import StageSettings

Changes = dict[str, Any] | None
"""By stage, the settings to change: `{"train": {"seed": 7}}`. A stage that is None stays as it is."""


def settings_of(expert: Changes, **stages: Any) -> Settings:
    """All settings of a run: those of its stages, and over them those under `expert`.

    Raises:
        ValidationError: two stages do not go together.
        UserError: what is under `expert` does not go with them, or is there another value than in its stage.
        NetworkError: the Prefect server does not say which deployment this is.
    """
    changes = {name: more for name, more in (expert or {}).items() if more is not None}
    if not changes:
        return Settings(**stages)
    try:
        settings = Settings.model_validate(stages | {name: _over(stages, name, changes) for name in changes})
        _check_once(stages, settings, changes)
    except ValidationError as error:
        raise UserError(describe(error)) from error
    if "source" in changes:
        check_source_secret(settings.source)
    return settings


def beneath(source: SourceSettings, expert: Changes, *, of: str) -> SourceSettings:
    """One of several sources, with what is under `expert` for all of them and not in its own settings.

    Raises:
        UserError: they do not go together; the message names the source as `of`.
    """
    common = (expert or {}).get("source") or {}
    try:
        return SourceSettings.model_validate(common | _given(source))
    except ValidationError as error:
        raise UserError(describe(error, of=of)) from error


def check_expert(expert: Changes, info: ValidationInfo) -> Changes:
    """See before the run begins that what is under `expert` goes with the parameters before it.

    Raises:
        UserError: it does not.
        NetworkError: the Prefect server does not say which deployment this is.
    """
    settings_of(expert, **{name: value for name, value in info.data.items() if name in Settings.model_fields})
    return expert


Expert = Annotated[Changes, AfterValidator(check_expert)]
"""A flow's parameter whose settings go with those before it."""


def _over(stages: dict[str, Any], name: str, changes: dict[str, Any]) -> Any:
    """A stage's settings as a mapping, with the changes over them."""
    own = stages.get(name)
    if isinstance(own, StageSettings) and isinstance(changes[name], dict):
        return _given(own) | changes[name]
    return changes[name]


def _given(settings: StageSettings) -> dict[str, Any]:
    """Those settings that are not merely defaults; no dump, which would hide a URL's password."""
    return {name: getattr(settings, name) for name in settings.model_fields_set}


def _check_once(stages: dict[str, Any], settings: Settings, changes: dict[str, Any]) -> None:
    """See that no setting has two values, unless one is the deployment's default: a form sends those along.

    Raises:
        UserError: one has.
    """
    deployed = deployment_defaults() or {}
    known = Settings.model_validate({name: deployed[name] for name in changes if deployed.get(name)})
    for name, more in changes.items():
        new, old, default = getattr(settings, name), stages.get(name), getattr(known, name)
        if not isinstance(new, StageSettings):
            if old not in (None, new, default, getattr(DEFAULTS, name)):
                raise UserError(_twice(name, old, new))
            continue
        for setting in more.keys() & _given(old).keys() if isinstance(old, StageSettings) else ():
            was, now = getattr(old, setting), getattr(new, setting)
            if was not in (now, getattr(default, setting)):
                raise UserError(_twice(f"{name}.{setting}", was, now))


def _twice(name: str, old: Any, new: Any) -> str:
    return f"{name} is {old} and expert.{name} is {new}: give it once, or the same value in both"
