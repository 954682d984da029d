"""Every engine that this tool can serve with, best first where several could: one is one line."""

from xgen_deploy.backends.base import Backend
from xgen_deploy.backends.llama_cpp_python import LLAMA_CPP_PYTHON
from xgen_deploy.backends.llama_server import LLAMA_SERVER
from xgen_deploy.backends.vllm import VLLM
from xgen_deploy.state.engine_words import EngineTraits, EngineWords
from xgen_deploy.state.instance import Spec

ENGINES: tuple[Backend, ...] = (
    *VLLM,
    *LLAMA_SERVER,
    *LLAMA_CPP_PYTHON,
)


def backend_named(name: str) -> Backend | None:
    """None for a backend that a record names and this version does not know."""
    return next((b for b in ENGINES if b.name == name), None)


def health_path_of(name: str) -> str:
    """Where a backend of this name is asked whether it is ready."""
    backend = backend_named(name)
    return backend.health_path if backend else "/health"


def short_name_of(name: str) -> str:
    """For the narrow column of a table."""
    backend = backend_named(name)
    return backend.short_name if backend else name


def sharing_slots_of(spec: Spec) -> int | None:
    """The slots that share its one context; None where each has its own."""
    backend = backend_named(spec.backend)
    return backend.sharing_slots(spec) if backend else None


def model_formats() -> tuple[str, ...]:
    """In the engines' order of preference."""
    return tuple(dict.fromkeys(f for b in ENGINES for f in b.formats))


def engine_words() -> EngineWords:
    """What a manifest may call engines."""
    return EngineWords(tuple(map(_traits, ENGINES)))


def _traits(backend: Backend) -> EngineTraits:
    return EngineTraits(
        name=backend.name,
        family=backend.family,
        vendor=backend.vendor,
        formats=backend.formats,
        section=backend.settings,
        uses_gpus=bool(backend.hardware.uses),
        needs_gpu=backend.hardware.needs_gpu,
        offloads_layers=backend.offloads_layers,
        on_request=not backend.automatic,
        features=backend.features,
        names_adapters=backend.names_adapters,
    )
