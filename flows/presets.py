"""Settings files: the presets that come with docs-mlm, and YAML of the user's own.

Beside the flows and not in `command/`, because the demo flow takes its settings from a preset.
"""

import reprlib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from tasks.errors import UserError
from tasks.settings import Settings

CHECKOUT = Path(__file__).parents[1] / "deployments" / "settings"
"""Where the presets lie in a checkout; an installed docs-mlm carries them as `flows.preset_files`."""
_BRIEFLY = reprlib.Repr()
"""Ten lines of YAML can name a value of a billion parts, which must not be written out."""
_BRIEFLY.maxstring = _BRIEFLY.maxother = 200


def preset_names() -> list[str]:
    """The presets, in the order of their names."""
    return sorted(
        path.name.removesuffix(".yaml") for path in _folder().iterdir() if path.name.endswith(".yaml")
    )


def read_settings_file(name: str) -> dict[str, Any]:
    """The settings in a YAML file, or in the preset of that name.

    Raises:
        UserError: there is no such file, or it is not a YAML mapping.
    """
    path = Path(name).expanduser()
    try:
        is_preset = not path.is_file() and name in preset_names()
        text = (_folder() / f"{name}.yaml" if is_preset else path).read_text(encoding="utf-8")
        loaded = yaml.safe_load(text)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise UserError(
            f"there is no settings file {name!r}: "
            f"give a YAML file, or one of the presets {', '.join(preset_names())}{_meant(name, path)}"
        ) from error
    except RecursionError as error:
        raise UserError(f"{name} is nested too deeply to be settings") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{name} is not YAML: {' '.join(str(error).split())}") from error
    if loaded is None:
        return {}
    if not isinstance(loaded, dict) or not all(isinstance(key, str) for key in loaded):
        raise UserError(f"{name} holds {type(loaded).__name__}, not settings by stage such as `train:`")
    return loaded


def _meant(name: str, path: Path) -> str:
    """How to give what looks like a source as one."""
    kind = "folder" if path.is_dir() else "url" if "://" in name or name.startswith("git@") else None
    return f"; if it is the source, type --source.{kind} {name}" if kind else ""


def preset_settings(name: str, **changes: Any) -> Settings:
    """The settings of a preset, with some stages' settings put over it.

    Raises:
        UserError: a setting is unknown, of the wrong type or out of bounds.
    """
    try:
        return Settings.model_validate(read_settings_file(name) | changes)
    except ValidationError as error:
        raise UserError(describe(error)) from error


def describe(error: ValidationError, *, of: str = "") -> str:
    """What is wrong with the settings, or those `of` a part: each one's name, value and what it must be."""
    lines = []
    for entry in error.errors():
        name = " ".join(filter(None, (of, ".".join(str(part) for part in entry["loc"])))) or "settings"
        if entry["type"] == "extra_forbidden":
            lines.append(f"{name}: there is no such setting (see `docs-mlm run --help`)")
        elif entry["type"] == "value_error":
            lines.append(f"{name}: {entry['msg'].removeprefix('Value error, ')}")
        else:
            lines.append(f"{name} is {_shown(entry)}: {entry['msg'][0].lower()}{entry['msg'][1:]}")
    return "\n".join(lines)


def _shown(entry: Mapping[str, Any]) -> str:
    """The value that is wrong, unless it may be or hold a URL with a password."""
    value = entry["input"]
    hides = "@" in value if isinstance(value, str) else isinstance(value, dict | list | tuple)
    return "…" if hides and entry["loc"][:1] in (("source",), ("sources",)) else _BRIEFLY.repr(value)


def _folder() -> Any:
    return CHECKOUT if CHECKOUT.is_dir() else files("flows.preset_files")
