"""`GET /api/management/gpus` and `GET /api/inference/loading-status`. Pure."""

from collections.abc import Iterator, Mapping
from typing import Literal

from xgen_deploy.backends.availability import available_backends, recommended_family
from xgen_deploy.documents.base import Document
from xgen_deploy.documents.error_entry import host_errors
from xgen_deploy.documents.gpu_entries import cordon_on, gpu_entry, overall_type, owners
from xgen_deploy.documents.gpus import GPUEntry
from xgen_deploy.errors import XgenError, reason_of
from xgen_deploy.frozen import Frozen
from xgen_deploy.resolve.readiness import not_ready
from xgen_deploy.state.gpu import GPUInfo, GPUType
from xgen_deploy.state.observation import Observation, Observed, reached
from xgen_deploy.state.site import Site
from xgen_deploy.verify.site_status import SiteStatus
from xgen_deploy.verify.status import State, Status

DeviceType = Literal["cuda", "rocm", "gpu", "cpu"]
_TYPES: Mapping[GPUType, DeviceType] = {
    GPUType.NVIDIA: "cuda",
    GPUType.AMD_RDNA: "rocm",
    GPUType.AMD_CDNA: "rocm",
}


class ManagedGPU(Frozen):
    """A GPU, or the CPU of a host without one: its `index` is None and its memory the host's.
    Memory in MiB, `memory_gb` in GiB; what is unknown is None, never 0. `gpu` has the rest, as
    `gpus --json` tells it."""

    id: str
    host: str
    index: int | None
    name: str | None
    type: DeviceType
    memory_gb: float | None
    total_memory_mb: int | None
    used_memory_mb: int | None
    free_memory_mb: int | None
    utilization_percent: int | None
    gpu: GPUEntry | None


class ManagedHost(Frozen):
    """`unavailable` and `not_ready`: backend -> why it cannot run here. All but `error` is None for
    a host that was not reached."""

    reachable: bool
    error: str | None = None
    gpu_type: str | None = None
    detection_method: str | None = None
    available_backends: tuple[str, ...] | None = None
    recommended_backend: str | None = None
    unavailable: Mapping[str, str] | None = None
    not_ready: Mapping[str, str] | None = None


class ManagedGPUs(Document):
    """`success`: at least one host was reached. What is said of backends and of the type is over
    all hosts that were; `total` counts the entries of `gpus`."""

    success: bool
    gpus: tuple[ManagedGPU, ...]
    gpu_type: str
    recommended_backend: str | None
    available_backends: tuple[str, ...]
    detection_method: str | None
    total: int
    hosts: Mapping[str, ManagedHost]


class LoadingStatus(Frozen):
    """The fields of `status --json`, with the first of its GPUs as `gpu_index`."""

    model_id: str
    host: str
    instance: str
    status: State
    backend: str | None
    endpoint: str | None
    port: int | None
    gpu_index: int | None
    gpus: tuple[int, ...] | None
    n_gpu_layers: int | str | None
    offloaded_layers: int | None
    total_layers: int | None
    context_length: int | None
    server_type: str | None
    reason: str | None


class LoadingStatuses(Document):
    models: tuple[LoadingStatus, ...]


def managed_gpus(site: Site, observed: Observed) -> ManagedGPUs:
    known = reached(observed)
    cards = tuple(g for o in known.values() for g in o.facts.gpu.gpus)
    hosts = {n: _host(site, n, o) for n, o in observed.items()}
    backends = dict.fromkeys(b for h in hosts.values() for b in h.available_backends or ())
    methods = dict.fromkeys(h.detection_method for h in hosts.values() if h.detection_method)
    gpus = tuple(g for name, o in known.items() for g in _gpus(site, name, o))
    return ManagedGPUs(
        success=bool(known) or not observed,
        gpus=gpus,
        gpu_type=overall_type(cards),
        recommended_backend=recommended_family(tuple(backends)) or None,
        available_backends=tuple(backends),
        detection_method=", ".join(methods) or None,
        total=len(gpus),
        hosts=hosts,
        errors=tuple(host_errors(observed)),
    )


def loading_statuses(status: SiteStatus) -> LoadingStatuses:
    return LoadingStatuses(
        models=tuple(map(_loading, status.instances)), errors=tuple(host_errors(status.observed))
    )


def _host(site: Site, name: str, observation: Observation | XgenError) -> ManagedHost:
    if isinstance(observation, XgenError):
        return ManagedHost(reachable=False, error=reason_of(observation))
    facts = observation.facts
    available = available_backends(facts.gpu.gpus)
    return ManagedHost(
        reachable=True,
        gpu_type=overall_type(facts.gpu.gpus),
        detection_method=facts.gpu.detection_method,
        available_backends=available.backends,
        recommended_backend=recommended_family(available.backends) or None,
        unavailable=available.reasons,
        not_ready=not_ready(site, site.hosts[name], facts),
    )


def _gpus(site: Site, host: str, observation: Observation) -> Iterator[ManagedGPU]:
    facts, instances = observation.facts, owners(site, host, observation.facts)
    for gpu in facts.gpu.gpus:
        yield _gpu(host, gpu, gpu_entry(gpu, instances, cordon_on(gpu, observation.record)))
    if not facts.gpu.gpus:
        total, free = facts.memory_total_mb, facts.memory_available_mb
        yield ManagedGPU(
            id=f"{host}:cpu",
            host=host,
            index=None,
            name=facts.cpu_model,
            type="cpu",
            memory_gb=_gib(total),
            total_memory_mb=total,
            used_memory_mb=None if total is None or free is None else max(total - free, 0),
            free_memory_mb=free,
            utilization_percent=None,
            gpu=None,
        )


def _gpu(host: str, gpu: GPUInfo, entry: GPUEntry) -> ManagedGPU:
    return ManagedGPU(
        id=f"{host}:{gpu.index}",
        host=host,
        index=gpu.index,
        name=gpu.device_name,
        type=_TYPES.get(gpu.gpu_type, "gpu"),
        memory_gb=_gib(gpu.memory_total_mb),
        total_memory_mb=gpu.memory_total_mb,
        used_memory_mb=gpu.memory_used_mb,
        free_memory_mb=gpu.memory_free_mb,
        utilization_percent=gpu.utilization_percent,
        gpu=entry,
    )


def _gib(mib: int | None) -> float | None:
    return None if mib is None else round(mib / 1024, 1)


def _loading(status: Status) -> LoadingStatus:
    own = ("gpu_index",)
    fields = {n: getattr(status, n) for n in LoadingStatus.model_fields if n not in own}
    return LoadingStatus(**fields, gpu_index=status.gpus[0] if status.gpus else None)
