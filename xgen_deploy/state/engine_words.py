"""What a manifest may call engines, and what can be told of each without a host; the registry's,
passed to its loader.
"""

from dataclasses import dataclass

from pydantic import ValidationInfo
from pydantic_core import PydanticKnownError

_AUTO = "auto"
GATEWAY_KEY = "haproxy"
# What monitoring runs, as tables of images and binaries name it.
MONITORING_KEYS = ("prometheus", "alertmanager", "grafana")


@dataclass(frozen=True)
class EngineTraits:
    """One build. `formats` are the models that it takes, `section` its own settings of a model;
    `on_request`: it serves only where the manifest names it. `features` are the fields of what it
    can load beside a model; `names_adapters`: it serves each adapter under its own name.
    """

    name: str
    family: str
    vendor: str
    formats: tuple[str, ...]
    section: str | None
    uses_gpus: bool
    needs_gpu: bool
    offloads_layers: bool
    on_request: bool
    features: frozenset[str]
    names_adapters: bool


@dataclass(frozen=True)
class EngineWords:
    """The context (in pydantic's sense) of everything that names an engine."""

    engines: tuple[EngineTraits, ...]

    @property
    def backends(self) -> tuple[str, ...]:
        return tuple(engine.name for engine in self.engines)

    @property
    def families(self) -> tuple[str, ...]:
        return tuple(sorted({engine.family for engine in self.engines}))

    @property
    def vendors(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(engine.vendor for engine in self.engines))

    @property
    def choices(self) -> tuple[str, ...]:
        """For `backend:`."""
        return (_AUTO, *self.families, *self.backends)

    @property
    def table_keys(self) -> tuple[str, ...]:
        """For `images:` and `binaries:`."""
        return (*self.backends, *self.families, *self.vendors, GATEWAY_KEY, *MONITORING_KEYS)

    def chosen_by(self, backend: str) -> tuple[EngineTraits, ...]:
        """The builds that a value of `backend:` leaves open."""
        named = tuple(engine for engine in self.engines if engine.name == backend)
        return named or tuple(
            engine
            for engine in self.engines
            if not engine.on_request and backend in (_AUTO, engine.family)
        )


def known_choice(value: object, info: ValidationInfo) -> str:
    return _one_of(_words(info).choices, value)


def known_table_key(value: object, info: ValidationInfo) -> str:
    return _one_of(_words(info).table_keys, value)


def _words(info: ValidationInfo) -> EngineWords:
    if not isinstance(info.context, EngineWords):
        raise TypeError("names of engines are checked against EngineWords, given as the context")
    return info.context


def _one_of(words: tuple[str, ...], value: object) -> str:
    """Checked like a pydantic Literal, with its error."""
    *first, last = (repr(word) for word in words)
    if not isinstance(value, str) or value not in words:
        raise PydanticKnownError("literal_error", {"expected": f"{', '.join(first)} or {last}"})
    return value
