"""Which backend serves an instance, and which build of it: the design's two steps."""

from collections.abc import Mapping
from typing import TypeVar

from xgen_deploy.resolve.refuse import refuse
from xgen_deploy.state.facts import EngineFacts, EngineRequest
from xgen_deploy.state.gpu import GPUInfo, GPUType
from xgen_deploy.state.host import Host
from xgen_deploy.state.instance import Engine
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.settings import Image, ImageWithEntrypoint, Runtime
from xgen_deploy.state.site import Site

_Named = TypeVar("_Named", str, Image)
BuildKey = tuple[str, str | None, str | None]
GGUF_ORDER = (
    "llama-server-vulkan",
    "llama-server-cuda",
    "llama-server-rocm",
    "llama-server-cpu",
    "llama-cpp-python",
)
HF_ORDER = ("vllm-cuda", "vllm-rocm")
NVIDIA = (GPUType.NVIDIA,)
AMD = (GPUType.AMD_RDNA, GPUType.AMD_CDNA)
_VENDORS = {
    "vllm-cuda": "nvidia",
    "llama-server-cuda": "nvidia",
    "vllm-rocm": "amd",
    "llama-server-rocm": "amd",
    "llama-server-vulkan": "amd",
    "vllm-cpu": "cpu",
    "llama-server-cpu": "cpu",
    "llama-cpp-python": "cpu",
}


def family(backend: str) -> str:
    """`vllm` or `llama`."""
    return "vllm" if backend.startswith("vllm") else "llama"


def build_named(declared: InstanceConfig, runtime: Runtime, backend: str) -> EngineRequest | None:
    """The image or binary that the manifest names for a backend; None where it names none.

    The placement's own comes first, then the tables: by backend, by family, by vendor.
    """
    keys = _keys(backend)
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
        return EngineRequest(backend=backend, image=ref, entrypoint=entrypoint, may_pull=may_pull)
    binary = declared.binary or _lookup(declared.binaries, keys)
    if binary is None:
        return None
    return EngineRequest(backend=backend, binary=binary, as_login=runtime == "process")


def named_for_host(site: Site, host: Host, backend: str) -> bool:
    """Whether the tables name a build for this host, whatever is placed there."""
    if (host.runtime or site.runtime) == "docker":
        return _lookup(site.images | host.images, _keys(backend)) is not None
    return _lookup(site.binaries | host.binaries, _keys(backend)) is not None


def candidates(declared: InstanceConfig) -> tuple[str, ...]:
    """The backends that `backend:` leaves open, in no order of preference."""
    if declared.backend == "auto":
        return GGUF_ORDER + HF_ORDER
    if declared.backend in ("llama", "vllm"):
        return tuple(b for b in GGUF_ORDER + HF_ORDER if family(b) == declared.backend)
    return (declared.backend,)


def order_for(
    model_format: str, gpus: tuple[GPUInfo, ...], open_: tuple[str, ...], available: tuple[str, ...]
) -> tuple[str, ...]:
    """Backends that could serve, best first. Without a GPU the CPU build leads, then any
    other llama-server build, which then gets `--device none`.
    """
    order: tuple[str, ...] = GGUF_ORDER if model_format == "gguf" else HF_ORDER
    if len(open_) == 1:
        return open_
    if not gpus and model_format == "hf":
        return ()
    if not gpus and model_format == "gguf":
        order = ("llama-server-cpu", *(b for b in GGUF_ORDER if b != "llama-server-cpu"))
        return tuple(b for b in order if b in open_)
    kinds = available_for(gpus, available)
    return tuple(b for b in order if b in open_ and b in kinds)


def available_for(gpus: tuple[GPUInfo, ...], available: tuple[str, ...]) -> tuple[str, ...]:
    """Of the host's backends those that can use these GPUs (a host may have two vendors)."""
    types = {g.gpu_type for g in gpus}
    if types <= {GPUType.NVIDIA}:
        return tuple(b for b in available if b.endswith("cuda") or b == "llama-cpp-python")
    return tuple(b for b in available if not b.endswith("cuda"))


def why_not(backend: str, gpus: tuple[GPUInfo, ...], reasons: Mapping[str, str]) -> str | None:
    """Why a backend cannot use these GPUs, though the manifest names it; None where it can."""
    if not gpus:
        needs = backend in HF_ORDER
        return "it needs a GPU, and this placement has none" if needs else None
    vendors = {"cuda": NVIDIA, "rocm": AMD}.get(backend.rpartition("-")[2])
    other = next((g for g in gpus if vendors and g.gpu_type not in vendors), None)
    if other is not None:
        return f"it cannot use GPU {other.index} ({other.device_name or other.gpu_type})"
    return reasons.get(backend) if backend in HF_ORDER else None


def build_key(build: EngineRequest | EngineFacts) -> BuildKey:
    """What a request and its answer have in common."""
    return (build.backend, build.binary, build.image)


def ready_engine(request: EngineRequest, facts: Mapping[BuildKey, EngineFacts]) -> Engine:
    """The build as an engine. Raises NotReady with the reason."""
    found = facts.get(build_key(request))
    if found is None:
        raise NotReady("the host was not asked about it")
    if found.error is not None and not found.pullable:
        raise NotReady(found.error)
    return Engine(
        backend=request.backend,
        binary=found.binary,
        image=found.image,
        state=found.state,
        entrypoint=request.entrypoint or found.entrypoint,
        override_entrypoint=request.entrypoint is not None,
        flags=frozenset(found.flags),
        markers=frozenset(found.markers),
        pull=found.pullable and found.state is None,
    )


class NotReady(Exception):
    """A backend that the hardware could run and that the host is not prepared for."""


class Unfit(NotReady):
    """A backend that cannot use these GPUs, whatever is put on the host."""


def no_backend(
    declared: InstanceConfig,
    model_format: str,
    reasons: Mapping[str, str],
    unfit: frozenset[str],
    host: Host,
) -> Exception:
    """The refusal when nothing can serve: each backend with its reason, and a way out. `unfit`
    are those that the hardware rules out.
    """
    by_reason: dict[str, list[str]] = {}
    for backend, reason in reasons.items():
        by_reason.setdefault(reason, []).append(backend)
    listed = "; ".join(f"{', '.join(names)}: {why}" for why, names in by_reason.items())
    what = "GGUF" if model_format == "gguf" else "Hugging Face"
    tried = reasons.keys() & _VENDORS.keys()
    return refuse(
        declared,
        f"no backend here can serve this {what} model ({listed or 'nothing was left to try'})",
        _other_hardware(model_format)
        if tried and tried <= unfit
        else _hint(declared, tuple(sorted(tried - unfit)), host),
        "backend",
    )


def _other_hardware(model_format: str) -> str:
    looked = "`xgen-deploy gpus` shows what this host has, and how it was looked for"
    if model_format == "hf":
        return f"{looked}; without such a GPU a GGUF of the model can be served"
    return looked


def _hint(declared: InstanceConfig, backends: tuple[str, ...], host: Host) -> str:
    """A build that is named has to be put on the host; else one has to be named."""
    docker = declared.runtime == "docker"
    table = "images" if docker else "binaries"
    tables = f"`{table}:` of the manifest, or in `xgen_{table}` of {host.name}"
    builds = (build_named(declared, declared.runtime, b) for b in backends)
    named = {str(b.image or b.binary) for b in builds if b is not None}
    if not named:
        return f"name one in {tables}"
    how = "docker load or docker pull" if docker else "copy it there"
    listed = " or ".join(sorted(named))
    return f"put {listed} on the host ({how}), or name another in {tables}"


def _keys(backend: str) -> tuple[str, ...]:
    """A family's or vendor's entry is a server of its own; an interpreter must be named itself."""
    if backend == "llama-cpp-python":
        return (backend,)
    return (backend, family(backend), _VENDORS[backend])


def _lookup(table: Mapping[str, _Named], keys: tuple[str, ...]) -> _Named | None:
    return next((table[k] for k in keys if k in table), None)
