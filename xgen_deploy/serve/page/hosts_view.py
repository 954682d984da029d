"""The cards of hosts, as the page shows them. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby

from xgen_deploy.backends.availability import available_backends, recommended_family
from xgen_deploy.documents.gpu_entries import cordon_on, overall_type, owners, used_by
from xgen_deploy.errors import XgenError, reason_of
from xgen_deploy.resolve.readiness import not_ready
from xgen_deploy.state.gpu import GPUInfo
from xgen_deploy.state.observation import Observation, Observed, locks_of
from xgen_deploy.state.site import Site


@dataclass(frozen=True)
class GPUView:
    """Memory in MiB; None: not measurable. `users` are instances, or other processes by name."""

    index: int
    name: str
    used: int | None
    total: int | None
    utilization: int | None
    users: tuple[str, ...]
    note: str | None
    cordon: str | None

    @property
    def used_gib(self) -> str:
        return f"{(self.used or 0) / 1024:.1f}"

    @property
    def total_gib(self) -> str:
        return f"{(self.total or 0) / 1024:.1f}"


@dataclass(frozen=True)
class HostCard:
    """`kind` is cuda, rocm, gpu or cpu; None for a host that was not reached, with its `error`.
    `reasons`: why other backends cannot run, those with the same reason together.
    """

    name: str
    kind: str | None = None
    error: str | None = None
    gpus: tuple[GPUView, ...] = ()
    drivers: tuple[str, ...] = ()
    detected_by: str = ""
    can_run: tuple[str, ...] = ()
    recommended: str | None = None
    reasons: tuple[tuple[str, str], ...] = ()
    runs: tuple[str, ...] = ()
    under_way: str | None = None
    cpu: str | None = None
    memory_mb: int | None = None


def host_cards(site: Site, observed: Observed) -> tuple[HostCard, ...]:
    locks = {name: lock.line for name, lock in locks_of(observed).items()}
    return tuple(_card(site, name, look, locks.get(name)) for name, look in observed.items())


def _card(site: Site, name: str, look: Observation | XgenError, lock: str | None) -> HostCard:
    if isinstance(look, XgenError):
        return HostCard(name, error=reason_of(look))
    facts = look.facts
    available = available_backends(facts.gpu.gpus)
    missing = not_ready(site, site.hosts[name], facts)
    ready = tuple(b for b in available.backends if b not in missing)
    instances = owners(site, name, facts)
    return HostCard(
        name=name,
        kind=_kind(facts.gpu.gpus),
        gpus=tuple(_gpu(gpu, look, instances) for gpu in facts.gpu.gpus),
        drivers=tuple(sorted({g.driver_version for g in facts.gpu.gpus if g.driver_version})),
        detected_by=facts.gpu.detection_method,
        can_run=ready,
        recommended=recommended_family(ready) or None if ready else None,
        reasons=_grouped({**missing, **available.reasons}),
        runs=_runs(site, name, look),
        under_way=lock,
        cpu=facts.cpu_model,
        memory_mb=facts.memory_total_mb,
    )


def _runs(site: Site, name: str, look: Observation) -> tuple[str, ...]:
    """Who is limited to models sees those alone."""
    known = look.record.instances if look.record is not None else {}
    if not site.limited_models:
        return tuple(known)
    placed = {config.name for config in site.on(name)}
    return tuple(instance for instance in known if instance in placed)


def _kind(gpus: tuple[GPUInfo, ...]) -> str:
    """A Vulkan GPU is neither CUDA's nor ROCm's, and is one all the same."""
    kind = overall_type(gpus)
    return "gpu" if kind == "cpu" and gpus else kind


def _gpu(gpu: GPUInfo, look: Observation, instances: Mapping[str, str]) -> GPUView:
    cordon = cordon_on(gpu, look.record)
    users = [
        u.instance or _foreign(u.process.name, u.process.user) for u in used_by(gpu, instances)
    ]
    return GPUView(
        index=gpu.index,
        name=gpu.device_name or gpu.gfx_version or str(gpu.gpu_type),
        used=gpu.memory_used_mb,
        total=gpu.memory_total_mb,
        utilization=gpu.utilization_percent,
        users=tuple(dict.fromkeys(users)),
        note=gpu.note,
        cordon=cordon.clause if cordon is not None else None,
    )


def _foreign(name: str | None, user: str | None) -> str:
    return f"{name or '?'} ({user or '?'})"


def _grouped(reasons: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """(backends, reason)."""
    by_reason = groupby(sorted(reasons.items(), key=lambda item: item[1]), key=lambda i: i[1])
    return tuple((", ".join(b for b, _ in group), reason) for reason, group in by_reason)
