"""Where the settings of one call come from: flags over YAML over environment over defaults."""

import argparse
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError
from pydantic_settings import (
    BaseSettings,
    CliSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from flows.presets import describe, preset_names, read_settings_file
from flows.several import SeveralSettings
from tasks.clone_docs.settings import SourceSettings
from tasks.errors import UserError
from tasks.filter_markdown.settings import FilterSettings
from tasks.settings import Settings
from tasks.stage.keys import StageSettings

S = TypeVar("S", bound=StageSettings)
KINDS = ("url", "checkout", "folder", "json_file")
"""What a source can be; each source is exactly one of them."""


LAYERED = SettingsConfigDict(
    extra="forbid",
    frozen=True,
    env_prefix="DOCS_MLM_",
    env_nested_delimiter="__",
    cli_kebab_case=True,
    cli_avoid_json=True,
    cli_hide_none_type=True,
    cli_implicit_flags=True,
    cli_parse_none_str="null",
)


class Layers(BaseSettings):
    """Settings from their layers."""

    model_config = LAYERED

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The order of the layers; the YAML file comes in as `init_settings`, flags are put before it."""
        return init_settings, env_settings


class LayeredSettings(Settings, Layers):
    """The settings of `run`, from their layers."""

    model_config = LAYERED


class PreviewSettings(StageSettings):
    """What a preview needs: what is read, and how it is cleaned."""

    source: SourceSettings = Settings.model_fields["source"].default
    filter: FilterSettings = Settings.model_fields["filter"].default
    work_dir: Path = Settings.model_fields["work_dir"].default


class LayeredPreview(PreviewSettings, Layers):
    """The settings of `preview`, from their layers."""

    model_config = LAYERED


class LayeredSeveral(SeveralSettings, LayeredSettings):
    """The settings of `several`, but for the sources, from their layers."""

    model_config = LAYERED


def add_flags(parser: argparse.ArgumentParser, layers: type[Layers]) -> None:
    """Give a parser a flag for each setting; `given` then tells which of them were used."""
    parser.set_defaults(flags=CliSettingsSource(layers, root_parser=parser))


def read_settings(arguments: argparse.Namespace) -> Settings:
    """The settings of one call of `run`.

    Raises:
        UserError: a setting is unknown, of the wrong type or out of bounds.
    """
    return layered(LayeredSettings, Settings, given(arguments, LayeredSettings))


def read_several(arguments: argparse.Namespace) -> tuple[SeveralSettings, list[SourceSettings]]:
    """The settings of one call of `several`, and its sources: those of the flags, or else of the file.

    Raises:
        UserError: there is no source, or a setting is unknown, of the wrong type or out of bounds.
    """
    values = given(arguments, LayeredSeveral)
    in_file = values.pop("sources", None)
    settings = layered(LayeredSeveral, SeveralSettings, values)
    common = settings.source.model_dump(exclude_unset=True)
    if kind := next((kind for kind in KINDS if common.get(kind) is not None), None):
        raise UserError(f"source.{kind} is one source: say --sources {common[kind]} instead")
    listed = arguments.sources or in_file
    if not listed or not isinstance(listed, list):
        what = f"sources is {listed!r}" if listed else "there is no source"
        raise UserError(
            f"{what}: give --sources URL_OR_FOLDER ..., or a list `sources:` in the settings file"
        )
    return settings, [read_source(one, common, number) for number, one in enumerate(listed, 1)]


def read_preview(arguments: argparse.Namespace) -> PreviewSettings:
    """The settings of one call of `preview`, whose one argument is a source or a settings file.

    Raises:
        UserError: it is none, or a setting is unknown, of the wrong type or out of bounds.
    """
    word = arguments.source_word
    is_file = word is not None and (Path(word).suffix in (".yaml", ".yml") or word in preset_names())
    arguments.settings_file = word if is_file else None
    values = given(arguments, LayeredPreview)
    if word is not None and not is_file:
        values = merged(values, {"source": source_named(word)})
    # A settings file of `run` holds more than a preview needs.
    wanted = {name: value for name, value in values.items() if name in PreviewSettings.model_fields}
    return layered(LayeredPreview, PreviewSettings, wanted)


def read_source(own: Any, common: dict[str, Any], number: int) -> SourceSettings:
    """One source of several: what it says itself, over what all have in common.

    Raises:
        UserError: it is no source, or several in one.
    """
    if isinstance(own, str):
        own = source_named(own)
    try:
        source = SourceSettings.model_validate(common | own if isinstance(own, dict) else own)
    except ValidationError as error:
        raise UserError(describe(error, of=f"source {number}")) from error
    if all(getattr(source, kind) is None for kind in KINDS):
        raise UserError(f"source {number} is none: give one of {', '.join(KINDS)}")
    return source


def source_named(value: str) -> dict[str, Any]:
    """The source that a person means by one word: a URL, a checkout, a folder, a JSON file.

    What one word cannot say stands in braces, as in YAML: `{url: URL, ref: REF}`.

    Raises:
        UserError: it is none of them.
    """
    if value.startswith("{"):
        return _in_braces(value)
    path = Path(value).expanduser()
    if (path / ".git").exists():
        return {"checkout": path}
    if path.is_dir() and not (path / "objects").is_dir():  # which a bare repository has
        return {"folder": path}
    if path.is_file() and path.suffix in (".json", ".jsonl", ".ndjson"):
        return {"json_file": path}
    if path.suffix in (".yaml", ".yml") or value in preset_names():
        raise UserError(f"{value} is no source: settings come before --sources")
    if path.exists() or ":" in value:
        return {"url": value}
    raise UserError(f"there is no {value}: give the URL of a Git repository, a folder or a JSON file")


def _in_braces(value: str) -> dict[str, Any]:
    try:
        found = yaml.safe_load(value)
    except yaml.YAMLError:
        found = None
    # Without the space behind its colon, a name has no value.
    if not isinstance(found, dict) or not all(isinstance(name, str) and ":" not in name for name in found):
        raise UserError(f"{value} is no source: write it like {{url: URL, ref: REF}}")
    return found


def given(arguments: argparse.Namespace, layers: type[Layers]) -> dict[str, Any]:
    """What the flags and the settings file say, stage by stage.

    Raises:
        UserError: a flag's value cannot be read, or the file cannot.
    """
    fields = layers.model_fields
    flags = {name: value for name, value in vars(arguments).items() if name.split(".")[0] in fields}
    for name, value in flags.items():
        whole = fields[name].default if name in fields else None
        if isinstance(whole, StageSettings) and isinstance(value, str) and not value.startswith("{"):
            first = next(iter(type(whole).model_fields))
            raise UserError(f"--{name} {value}: name the setting too, as in --{name}.{first}")
    try:
        over = arguments.flags(parsed_args=flags)()
    except SettingsError as error:
        raise UserError(f"a flag cannot be read: {error}") from error
    return merged(read_settings_file(arguments.settings_file) if arguments.settings_file else {}, over)


def merged(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Both, and where both say something what `over` does."""
    both = {key: merged(under[key], over[key]) for key in under.keys() & over.keys()
            if isinstance(under[key], dict) and isinstance(over[key], dict)}  # fmt: skip
    return under | over | both


def layered(layers: type[Layers], plain: type[S], values: dict[str, Any]) -> S:
    """What was given, over the environment, over the defaults.

    Raises:
        UserError: a setting is unknown, of the wrong type or out of bounds.
    """
    make: Any = layers  # its own constructor's arguments hide the settings from mypy
    try:
        found = make(**values)
        return plain.model_validate({name: getattr(found, name) for name in plain.model_fields})
    except ValidationError as error:
        raise UserError(describe(error)) from error
    except SettingsError as error:
        raise UserError(f"the environment cannot be read: {error}") from error


def base_settings(store: str | None) -> Settings:
    """Store and work folder for the verbs that need no other settings."""
    return layered(LayeredSettings, Settings, {"store": store} if store else {})
