"""What a model's `config.json` says, of the part that generates where it has several."""

from collections.abc import Iterator, Mapping
from typing import cast

from xgen_deploy.state.facts import ModelFacts


def configs(model: ModelFacts) -> Iterator[Mapping[str, object]]:
    """The text part of a model of several kinds comes first: it is the one that generates."""
    if model.config is None:
        return
    text = model.config.get("text_config")
    if isinstance(text, Mapping):
        yield cast(Mapping[str, object], text)
    yield model.config


def value(model: ModelFacts, *keys: str) -> object:
    """The first of these that is stated; None where none is."""
    stated = (config.get(key) for key in keys for config in configs(model))
    return next((v for v in stated if v is not None), None)


def number(model: ModelFacts, *keys: str) -> int | None:
    """The same for a whole number that is more than 0 and no larger than any model has."""
    stated = (config.get(key) for key in keys for config in configs(model))
    whole = (v for v in stated if isinstance(v, int) and not isinstance(v, bool))
    return next((v for v in whole if 0 < v < 1 << 32), None)


def architectures(model: ModelFacts) -> frozenset[str]:
    stated = (model.config or {}).get("architectures")
    return frozenset(map(str, stated)) if isinstance(stated, list | tuple) else frozenset()


def vision(model: ModelFacts) -> Mapping[str, object]:
    stated = (model.config or {}).get("vision_config")
    return cast(Mapping[str, object], stated) if isinstance(stated, Mapping) else {}


def quantised_by(model: ModelFacts) -> tuple[bool, str | None]:
    """Whether the files tell how they are quantised, and the method; None: they are not."""
    for part in (model.config or {}, (model.config or {}).get("text_config")):
        stated = part.get("quantization_config") if isinstance(part, Mapping) else None
        if isinstance(stated, Mapping):
            method = stated.get("quant_method")
            return isinstance(method, str), method.lower() if isinstance(method, str) else None
    return True, None
