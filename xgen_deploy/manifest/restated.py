"""Instance configs read back from a host, validated against the manifest's schema. Pure."""

from collections.abc import Iterator
from typing import Annotated, Any
from unicodedata import category

from pydantic import Field, ValidationError

from xgen_deploy.manifest.schema import Placement
from xgen_deploy.manifest.text_rules import REFUSED
from xgen_deploy.state.engine_words import EngineWords
from xgen_deploy.state.field_types import HostPath, InstanceName, ModelName, Port
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.locked import Locked
from xgen_deploy.state.settings import BackendChoice, Image, Pull, Runtime, TableKey

LONGEST = 1 << 16
_CLAUSE = 300


class _Restated(Placement):
    """A placement with the fields that InstanceConfig adds, each as strict as in a manifest."""

    model: ModelName
    name: InstanceName
    backend: BackendChoice
    binary: HostPath | None = None
    runtime: Runtime
    pull: Pull
    ports: Annotated[tuple[Port, ...], Field(min_length=2, max_length=2)]
    layers_here: bool
    images: dict[TableKey, Image]
    binaries: dict[TableKey, HostPath]
    local: str | None = None
    locked: dict[str, Locked] = Field(default_factory=dict)


def why_not_restated(instance: InstanceConfig, host: str, words: EngineWords) -> str | None:
    """Why no manifest could have produced this instance of `host`, as a clause without the value;
    None where one could.
    """
    if instance.host != host:
        return "it is for another host"
    fields = instance.model_dump(exclude={"host", "marks"}, exclude_none=True)
    texts = tuple(_texts(fields))
    if any(len(text) > LONGEST for text in texts):
        return f"it has a text of more than {LONGEST} characters"
    if any(category(c) in REFUSED for text in texts for c in text):
        return "it has a line break or a control character"
    try:
        _Restated.model_validate(fields, context=words)
    except ValidationError as error:
        first = error.errors()[0]
        place = _place(fields, first["loc"])
        if first["type"] == "missing":
            place = (*place, str(first["loc"][-1]))
        return f"{'.'.join(place)}: {first['msg']}"[:_CLAUSE]
    return None


def _place(fields: Any, loc: tuple[int | str, ...]) -> tuple[str, ...]:
    """`loc` without the names of union branches that pydantic adds: they differ by its version."""
    steps: list[str] = []
    for step in loc:
        if isinstance(fields, dict):
            known = step in fields
        else:
            known = isinstance(fields, list | tuple) and step in range(len(fields))
        if known:
            fields = fields[step]
            steps.append(str(step))
    return tuple(steps)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(key)
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
