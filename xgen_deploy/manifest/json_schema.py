"""The manifest's JSON Schema, for completion and checks in editors."""

from typing import Any

from xgen_deploy.manifest.schema import Manifest
from xgen_deploy.state.engine_words import EngineWords

Schema = dict[str, Any]
_REQUIRED = ("project", "models", "hosts")


def json_schema(words: EngineWords) -> Schema:
    """Draft 7, which YAML editors handle best.

    It describes one file as a user writes it: booleans as words, durations as text, null to reset
    a value, keys that begin with `x-`. A file with `extends:` may leave out required keys.
    """
    schema = _named(Manifest.model_json_schema(ref_template="#/definitions/{model}"), words)
    definitions = {name: _section(part) for name, part in schema.pop("$defs").items()}
    whole = _section(schema)
    whole.pop("required", None)
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "xgen-deploy manifest",
        **whole,
        "patternProperties": {"^x-": {"description": "Ignored."}},
        "anyOf": [{"required": ["extends"]}, {"required": list(_REQUIRED)}],
        "definitions": definitions,
    }


def _named(part: Any, words: EngineWords) -> Any:
    """With the words that engines are called by in place of those that stand for them."""
    match part:
        case "{choices}":
            return list(words.choices)
        case "{table_keys}":
            return list(words.table_keys)
        case str():
            return part.replace("{families}", ", ".join(words.families))
        case dict():
            return {key: _named(value, words) for key, value in part.items()}
        case list():
            return [_named(item, words) for item in part]
    return part


def _section(schema: Schema) -> Schema:
    required = schema.get("required", [])
    properties = {
        name: _tidy(field) if name in required and name not in _REQUIRED else _or_null(field)
        for name, field in schema.get("properties", {}).items()
    }
    kept = {key: value for key, value in schema.items() if key != "title"}
    return {**kept, "properties": properties}


def _tidy(field: Schema) -> Schema:
    """Without pydantic's titles and nulls as defaults, which only fill the editor's hover."""
    kept = {key: value for key, value in field.items() if key not in ("title", "default")}
    if isinstance(field.get("default"), str | int | float):
        kept["default"] = field["default"]
    if isinstance(under := kept.get("additionalProperties"), dict):
        kept["additionalProperties"] = _or_null(under)
    if "anyOf" in kept:
        kept["anyOf"] = [_tidy(branch) for branch in kept["anyOf"]]
    return kept


def _or_null(field: Schema) -> Schema:
    kept = _tidy(field)
    outside: Schema = {key: kept.pop(key) for key in ("description", "default") if key in kept}
    branches = kept["anyOf"] if set(kept) == {"anyOf"} else [kept]
    null = {"type": "null"}
    return {**outside, "anyOf": branches if null in branches else [*branches, null]}
