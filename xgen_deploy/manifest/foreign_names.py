"""What engines, Ollama, compose files and Helm charts call the things that a manifest states,
for whoever brings settings from there: the field to write instead.
"""

import re
from collections.abc import Iterable, Iterator

from pydantic import BaseModel

from xgen_deploy.manifest.foreign_words import (
    ENGINE_OPTIONS,
    IN_DRAFT,
    IN_GATEWAY,
    LEFT_OUT,
    RENAMED,
)
from xgen_deploy.manifest.schema import Manifest, ModelFields, Placement
from xgen_deploy.state.features import Draft
from xgen_deploy.state.settings import (
    ENGINE_SETTINGS,
    ContainerSettings,
    Gateway,
    Sampling,
    Update,
)

# Fields of a model that are maps of fields.
_SECTIONS: dict[str, type[BaseModel]] = {
    **ENGINE_SETTINGS,
    "sampling": Sampling,
    "container": ContainerSettings,
    "update": Update,
}
_MODELS = (ModelFields, Placement, Manifest, Draft, *_SECTIONS.values())


def advice(key: str, model: type[BaseModel]) -> str | None:
    """What to do with a key that `model` lacks; None where it is nobody's word."""
    name = _spelled(key)
    if model is Gateway and name in IN_GATEWAY:
        return f"Write `{IN_GATEWAY[name]}`"
    if model not in _MODELS:
        return None
    if model is Draft and name in IN_DRAFT:
        return f"Write `{IN_DRAFT[name]}`"
    if name in LEFT_OUT:
        return LEFT_OUT[name]
    fields = list(dict.fromkeys(_fields(name, model)))
    if fields:
        place = _place(fields, model)
        if fields == [key]:
            return f"It belongs {place}"
        shown = " or ".join(_shown(field, model) for field in fields)
        return f"Write {shown}, {place}" if place else f"Write {shown}"
    return _passed_on(name, model)


def _spelled(key: str) -> str:
    """`--max-model-len` and `maxModelLen` as `max_model_len`."""
    words = re.sub("(?<=[a-z0-9])(?=[A-Z])", "_", key.lstrip("-"))
    return words.replace("-", "_").lower()


def passed_on(model: type[BaseModel]) -> str:
    """Where an engine's option goes that no field stands for; "" where that is not there."""
    is_engine = model in ENGINE_SETTINGS.values()
    return ". An option of the engine that has no field goes into `extra_args`" * is_engine


def _fields(name: str, model: type[BaseModel]) -> Iterator[str]:
    """The fields that the name can stand for: dotted, as seen from a model of the manifest."""
    if name in RENAMED:
        yield from RENAMED[name]
        return
    yield from tuple(_own(name)) or tuple(_of_options(name, model))


def _own(name: str) -> Iterator[str]:
    """A field of ours, at another place."""
    for fields in (ModelFields, Placement, Manifest):
        if name in fields.model_fields:
            yield name
            return
    yield from (f"{s}.{name}" for s, fields in _SECTIONS.items() if name in fields.model_fields)
    if name in Gateway.model_fields:
        yield f"gateway.{name}"


def _of_options(name: str, model: type[BaseModel]) -> Iterator[str]:
    """As options of the section's engine, else of any."""
    engines = [e for e in ENGINE_SETTINGS.values() if e is model] or ENGINE_SETTINGS.values()
    fields = (e.options.field_of(name.replace("_", "-")) for e in engines)
    yield from (field for field in fields if field is not None)


def _shown(field: str, model: type[BaseModel]) -> str:
    section, _, name = field.partition(".")
    if not name:
        return f"`{field}`"
    return f"`{name}`" if _SECTIONS.get(section) is model else f"`{section}: {{{name}: …}}`"


def _place(fields: Iterable[str], model: type[BaseModel]) -> str:
    """Where the fields are stated, if that is not where the key was."""
    tops = {field.partition(".")[0] for field in fields}
    if tops & model.model_fields.keys() or any(_SECTIONS.get(top) is model for top in tops):
        return ""
    if tops <= Manifest.model_fields.keys():
        return "at the top of the manifest"
    if not tops & ModelFields.model_fields.keys():
        return "in a placement under `hosts:`"
    if model is Manifest:
        return "in a model, a placement or `defaults:`"
    return "in the model or placement itself"


def _passed_on(name: str, model: type[BaseModel]) -> str | None:
    """An option that only `extra_args` have a place for."""
    section = ENGINE_OPTIONS.get(name)
    if section is None or model is Manifest:
        return None
    shown = f"extra_args: [--{name.replace('_', '-')}, …]"
    if _SECTIONS[section] is not model:
        shown = f"{section}: {{{shown}}}"
    return f"It has no field; `{shown}` passes it on"
