"""The form in the Prefect UI: what most runs need at once, the rest behind one click.

It is made of the schema that Prefect has of a flow's parameters, and the marks of the settings. The UI shows
`properties` and `anyOf`; the server, which checks what is sent, knows `patternProperties` too. So what is
folded stays valid where it always stood, and has its fields once more in the object `expert`, which is shown
once somebody wants to change it. What an `anyOf` shows has no bounds of its own: they stand beside it, and
the server's message then names the field that is wrong, and not all that `anyOf` is about.
"""

from copy import deepcopy
from typing import Any

from tasks.settings import Settings
from tasks.stage.keys import Instead, MostUsed, StageSettings, is_marked

Schema = dict[str, Any]
EXPERT = "expert"
FIRST = ("corpus", "at_once", "source", "sources", "model", "train", "embed", "tokenize", "store")
"""The order of the parameters in the form; those that are not named here follow."""
BOUNDS = {
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength", "pattern",
    "minItems", "maxItems", "additionalProperties",
}  # fmt: skip
STAGES: dict[str, type[StageSettings]] = {
    name: field.annotation
    for name, field in Settings.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, StageSettings)
}


def form_of(schema: Schema, parameters: dict[str, Any]) -> Schema:
    """The schema as the form shows it, closed for unknown names; `parameters` are the deployment's own."""
    made = deepcopy(schema) | {"additionalProperties": False}
    if EXPERT not in schema.get("properties", {}) or "patternProperties" in schema:
        return made  # nothing is folded, or all that can be
    whole, definitions = schema["definitions"], made["definitions"]
    for cls in STAGES.values():
        definitions.update(_shown(cls, whole) if cls.__name__ in whole else {})
    shown = [name for name in schema["properties"] if name != EXPERT and not _is_folded(name)]
    shown.sort(key=lambda name: FIRST.index(name) if name in FIRST else len(FIRST))
    properties = {name: _with_choices(schema["properties"][name], definitions) for name in shown}
    folded = schema["properties"].keys() - properties.keys() - {EXPERT}
    properties[EXPERT] = _expert(schema, parameters)
    made["properties"] = {
        name: about | {"position": position} for position, (name, about) in enumerate(properties.items())
    }
    return made | {"patternProperties": _by_pattern({name: schema["properties"][name] for name in folded})}


def _is_folded(name: str) -> bool:
    """Whether a parameter has nothing that most runs need."""
    if name in STAGES:
        return not _first(STAGES[name])
    return name in Settings.model_fields and not is_marked(Settings.model_fields[name], MostUsed)


def _first(cls: type[StageSettings]) -> list[str]:
    """The settings that are shown first."""
    return [name for name, field in cls.model_fields.items() if is_marked(field, MostUsed)]


def _rest(cls: type[StageSettings]) -> list[str]:
    """The settings that are shown under `expert` alone."""
    fields = cls.model_fields.items()
    return [name for name, field in fields if not (is_marked(field, MostUsed) or is_marked(field, Instead))]


def _shown(cls: type[StageSettings], whole: Schema) -> Schema:
    """The definitions by which a class of settings is shown: of itself, and of each choice it offers."""
    name, fields = cls.__name__, whole[cls.__name__]["properties"]
    strict = {setting: _strict(about, whole) for setting, about in fields.items()}
    offered = {
        setting: mark for setting, field in cls.model_fields.items()
        for mark in field.metadata if isinstance(mark, Instead)
    }  # fmt: skip
    if not offered:
        first = {setting: _plain(fields[setting]) for setting in _first(cls)}
        hidden = {setting: about for setting, about in strict.items() if setting not in first}
        return {name: {"type": "object", "title": name, "properties": first} | _closed(hidden)}
    made: Schema = {}
    for settings in (_first(cls), *((setting, *mark.beside) for setting, mark in offered.items())):
        shown = {setting: _loose(_plain(fields[setting]), whole) for setting in settings}
        title = shown[settings[0]].get("tab", shown[settings[0]]["title"])
        made[f"{name}-{settings[0]}"] = {"type": "object", "title": title, "properties": shown}
    return {name: {"title": name, "anyOf": [_ref(choice) for choice in made]} | _closed(strict)} | made


def _expert(schema: Schema, parameters: dict[str, Any]) -> Schema:
    """The parameter that has what is folded, stage by stage."""
    whole = schema["definitions"]
    groups, strict = Schema(), Schema()
    for name, field in Settings.model_fields.items():
        if name not in STAGES:
            if not is_marked(field, MostUsed):
                groups[name] = _with_default(schema["properties"][name], parameters, name)
                strict[name] = schema["properties"][name]
            continue
        fields, given = whole[STAGES[name].__name__]["properties"], parameters.get(name) or {}
        rest = _rest(STAGES[name])
        if not rest:
            continue
        shown = {one: _loose(_plain(_with_default(fields[one], given, one)), whole) for one in rest}
        groups[name] = {"title": name, "default": None, "anyOf": _foldable(shown)}
        strict[name] = {"type": ["object", "null"]} | _closed(
            {one: _strict(fields[one], whole) for one in rest}
        )
    about = schema["properties"][EXPERT]
    kept = {key: about[key] for key in ("title", "description") if key in about}
    return kept | {"default": None, "anyOf": _foldable(groups)} | _closed(strict)


def _foldable(properties: Schema) -> list[Schema]:
    """An object that is shown once somebody wants it."""
    return [
        {"type": "object", "title": "Change", "properties": properties},
        {"type": "null", "title": "As it is"},
    ]


def _with_choices(about: Schema, definitions: Schema) -> Schema:
    """A property with the choices of its class, or of its items': the UI looks for them nowhere else."""
    if "items" in about:
        return about | {"items": _with_choices(about["items"], definitions)}
    found = definitions[about["$ref"].rpartition("/")[2]] if "$ref" in about else {}
    if "anyOf" not in found:
        return about
    return found | {key: part for key, part in about.items() if key != "$ref"}


def _closed(properties: Schema) -> Schema:
    """Properties that are valid and not shown, and no others."""
    return {"patternProperties": _by_pattern(properties), "additionalProperties": False}


def _by_pattern(properties: Schema) -> Schema:
    return {f"^{name}$": about for name, about in properties.items()}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/definitions/{name}"}


def _with_default(about: Schema, given: dict[str, Any], name: str) -> Schema:
    """A property whose default is what the deployment has."""
    return about | ({"default": given[name]} if name in given else {})


def _plain(about: Schema) -> Schema:
    """One field instead of the choice between a value and none: what is left empty is not sent."""
    value = _value_of(about)
    if value is None or about.get("default") is not None:
        return about
    return {key: part for key, part in about.items() if key not in ("anyOf", "default")} | value


def _strict(about: Schema, whole: Schema) -> Schema:
    """The same without a choice, whose message would not say which part of a value is wrong."""
    value = _value_of(about)
    if value is None:
        return about
    value = whole[value["$ref"].rpartition("/")[2]] if "$ref" in value else value
    rest = {key: part for key, part in about.items() if key != "anyOf"}
    return value | rest | {"type": [value["type"], "null"]} if "enum" not in value else about


def _value_of(about: Schema) -> Schema | None:
    """Of a choice between a value and none, the value."""
    values = [one for one in about.get("anyOf", ()) if one.get("type") != "null"]
    return values[0] if len(values) == 1 and len(about["anyOf"]) == 2 else None


def _loose(about: Schema, whole: Schema) -> Schema:
    """The same without bounds, and without references, which have some."""
    if "$ref" in about:
        found = whole[about["$ref"].rpartition("/")[2]]
        about = found | {key: part for key, part in about.items() if key != "$ref"} | {"tab": found["title"]}
    kept = {key: part for key, part in about.items() if key not in BOUNDS}
    if "properties" in kept:
        kept["properties"] = {name: _loose(one, whole) for name, one in kept["properties"].items()}
    if "anyOf" in kept:
        kept["anyOf"] = [_loose(one, whole) for one in kept["anyOf"]]
    if isinstance(kept.get("items"), dict):
        kept["items"] = _loose(kept["items"], whole)
    return kept
