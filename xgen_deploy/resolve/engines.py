"""Which backend serves an instance, and which build of it: the design's two steps."""

from collections.abc import Mapping
from typing import TypeVar

from xgen_deploy.backends import registry
from xgen_deploy.backends.base import Backend
from xgen_deploy.backends.registry import backend_named, engine_words
from xgen_deploy.resolve.entrypoints import Wrong, wrong_program
from xgen_deploy.resolve.registry_hint import missing_image_hint
from xgen_deploy.state.facts import EngineFacts, EngineRequest
from xgen_deploy.state.gpu import GPUInfo
from xgen_deploy.state.host import Host
from xgen_deploy.state.instance import Engine
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.refuse import refuse
from xgen_deploy.state.settings import Image, ImageWithEntrypoint, Runtime
from xgen_deploy.state.site import Site

_Named = TypeVar("_Named", str, Image)
BuildKey = tuple[str, str | None, str | None]


def build_named(declared: InstanceConfig, runtime: Runtime, backend: str) -> EngineRequest | None:
    """The image or binary that the manifest names for a backend; None where it names none.

    The placement's own comes first, then the tables: by backend, by family, by vendor.
    """
    engine = backend_named(backend)
    if engine is None:
        return None
    keys = _keys(engine)
    if runtime == "docker":
        image = declared.image or _lookup(declared.images, keys)
        if image is None:
            return None
        ref, entrypoint = (
            (image.image, image.entrypoint)
            if isinstance(image, ImageWithEntrypoint)
            else (image, None)
        )
        may_pull = declared.pull == "missing"
        return EngineRequest(
            backend=backend,
            image=ref,
            entrypoint=entrypoint,
            may_pull=may_pull,
            has_help=engine.has_help,
        )
    binary = declared.binary or _lookup(declared.binaries, keys)
    if binary is None:
        return None
    return EngineRequest(
        backend=backend, binary=binary, as_login=runtime == "process", has_help=engine.has_help
    )


def named_for_host(site: Site, host: Host, backend: str) -> bool:
    """Whether the tables name a build for this host, whatever is placed there."""
    keys = _keys_of(backend)
    if (host.runtime or site.runtime) == "docker":
        return _lookup(site.images | host.images, keys) is not None
    return _lookup(site.binaries | host.binaries, keys) is not None


def candidates(declared: InstanceConfig) -> tuple[str, ...]:
    """The backends that `backend:` leaves open, best first where several could serve."""
    chosen = declared.backend
    if chosen != "auto" and chosen not in engine_words().families:
        return (chosen,)
    return tuple(b.name for b in registry.ENGINES if b.automatic and chosen in ("auto", b.family))


def of_format(model_format: str, backends: tuple[str, ...]) -> tuple[str, ...]:
    """Those that take such a model."""
    engines = map(backend_named, backends)
    return tuple(b.name for b in engines if b is not None and model_format in b.formats)


def order_for(
    model_format: str, gpus: tuple[GPUInfo, ...], open_: tuple[str, ...], available: tuple[str, ...]
) -> tuple[str, ...]:
    """Backends that could serve on these GPUs, of which a host may have two vendors', best first.
    Without a GPU the builds for the CPU lead, then any other that does not need one.
    """
    if len(open_) == 1:
        return open_
    usable = of_format(model_format, open_)
    engines = [b for b in registry.ENGINES if b.name in usable]
    if gpus:
        return tuple(b.name for b in engines if b.name in available and b.hardware.suits(gpus))
    able = (b for b in engines if not b.hardware.needs_gpu)
    return tuple(b.name for b in sorted(able, key=lambda b: bool(b.hardware.uses)))


def left_out(
    model_format: str,
    gpus: tuple[GPUInfo, ...],
    open_: tuple[str, ...],
    order: tuple[str, ...],
    reasons: Mapping[str, str],
) -> dict[str, str]:
    """Why each backend that takes such a model is not in the order. `reasons` are the host's."""
    out = (b for b in map(backend_named, of_format(model_format, open_)) if b is not None)
    told = {
        b.name: reasons.get(b.name) or why_not(b, gpus, reasons) for b in out if b.name not in order
    }
    return {name: why for name, why in told.items() if why is not None}


def why_not(engine: Backend, gpus: tuple[GPUInfo, ...], reasons: Mapping[str, str]) -> str | None:
    """Why a backend cannot use these GPUs, though the manifest names it; None where it can."""
    hardware = engine.hardware
    if not gpus:
        return "it needs a GPU, and this placement has none" if hardware.needs_gpu else None
    other = next((g for g in gpus if hardware.uses and g.gpu_type not in hardware.uses), None)
    if other is not None:
        return f"it cannot use GPU {other.index} ({other.device_name or other.gpu_type})"
    return reasons.get(engine.name) if hardware.needs_gpu else None


def build_key(build: EngineRequest | EngineFacts) -> BuildKey:
    """What a request and its answer have in common."""
    return (build.backend, build.binary, build.image)


def ready_engine(request: EngineRequest, facts: Mapping[BuildKey, EngineFacts]) -> Engine:
    """The build as an engine. Raises NotReady with the reason."""
    build = facts.get(build_key(request))
    if build is None:
        raise NotReady("the probe was not asked about it")
    backend = backend_named(request.backend)
    wrong = wrong_program(backend, build) if backend is not None else None
    if wrong is not None:
        raise WrongProgram(wrong)
    if build.error is not None and not build.pullable:
        raise NotReady(build.error)
    return Engine(
        backend=request.backend,
        binary=build.binary,
        image=build.image,
        state=build.state,
        entrypoint=request.entrypoint or build.entrypoint,
        override_entrypoint=request.entrypoint is not None,
        flags=frozenset(build.flags),
        markers=frozenset(build.markers),
        pull=build.pullable and build.state is None,
        coming=build.coming,
    )


class NotReady(Exception):
    """A backend that the hardware could run and that the host is not prepared for."""


class Unfit(NotReady):
    """A backend that cannot use these GPUs, whatever is put on the host."""


class WrongProgram(NotReady):
    """A build that does not start the engine which it is named for."""

    def __init__(self, wrong: Wrong) -> None:
        super().__init__(wrong.reason)
        self.way_out = wrong.way_out


def no_backend(
    declared: InstanceConfig,
    model_format: str,
    reasons: Mapping[str, str],
    unfit: frozenset[str],
    host: Host,
    ways_out: tuple[str, ...] = (),
) -> Exception:
    """The refusal when no backend can serve: each with its reason, and a hint. `unfit` are the
    backends that the hardware rules out, `ways_out` hints that lead further than the general one.
    """
    by_reason: dict[str, list[str]] = {}
    for backend, reason in reasons.items():
        by_reason.setdefault(reason, []).append(backend)
    listed = "; ".join(f"{', '.join(names)}: {why}" for why, names in by_reason.items())
    tried = reasons.keys() & set(engine_words().backends)
    return refuse(
        declared,
        f"no backend here can serve this {_title(model_format)} model ({listed})",
        " ".join(ways_out)
        if ways_out
        else _other_hardware(model_format)
        if tried and tried <= unfit
        else _hint(declared, {b: reasons[b] for b in sorted(tried - unfit)}, host),
        "backend",
    )


def _title(model_format: str) -> str:
    return "GGUF" if model_format == "gguf" else "Hugging Face"


def other_format(declared: InstanceConfig, model_format: str) -> Exception:
    """The refusal of a model that nothing which `backend:` leaves open can load."""
    engines = [b for b in map(backend_named, candidates(declared)) if b is not None]
    formats = sorted({_title(f) for engine in engines for f in engine.formats})
    able = dict.fromkeys(b.family for b in registry.ENGINES if model_format in b.formats)
    hint = f"Leave `backend` out, or name {' or '.join(f'`{family}`' for family in able)}"
    if model_format == "hf":
        hint += "; llama.cpp's engines take a GGUF of the model, such as `org/name-GGUF:Q4_K_M`"
    return refuse(
        declared,
        f"`backend: {declared.backend}` serves {' and '.join(formats)} models, and this is a "
        f"{_title(model_format)} one",
        f"{hint}.",
        "backend",
    )


def _other_hardware(model_format: str) -> str:
    hint = "See what this host has with `xgen-deploy gpus MANIFEST`"
    if model_format == "hf":
        return f"{hint}; without such a GPU, serve a GGUF of the model."
    return f"{hint}."


def _hint(declared: InstanceConfig, reasons: Mapping[str, str], host: Host) -> str:
    """What to do: put a named build on the host, or name one. `reasons` are the backends'."""
    docker = declared.runtime == "docker"
    table = "images" if docker else "binaries"
    tables = f"`{table}:` of the manifest, or in `xgen_{table}` of {host.name}"
    builds = {b: build_named(declared, declared.runtime, b) for b in reasons}
    by_registry = (
        missing_image_hint(host.name, build.image, reasons[backend])
        for backend, build in builds.items()
        if build is not None and build.image
    )
    if hint := " ".join(dict.fromkeys(filter(None, by_registry))):
        return hint
    named = {str(b.image or b.binary) for b in builds.values() if b is not None}
    if not named and docker and any(_lookup(declared.binaries, _keys_of(b)) for b in reasons):
        return f"Name one in {tables}, or state `runtime: systemd`: `binaries` are for that."
    if not named:
        return f"Name one in {tables}."
    how = "`docker load` or `docker pull`" if docker else "copy it there"
    listed = " or ".join(sorted(named))
    return f"Put {listed} on the host ({how}), or name another in {tables}."


def _keys_of(backend: str) -> tuple[str, ...]:
    engine = backend_named(backend)
    return _keys(engine) if engine else ()


def _keys(engine: Backend) -> tuple[str, ...]:
    if not engine.shares_tables:
        return (engine.name,)
    return (engine.name, engine.family, engine.vendor)


def _lookup(table: Mapping[str, _Named], keys: tuple[str, ...]) -> _Named | None:
    return next((table[k] for k in keys if k in table), None)
