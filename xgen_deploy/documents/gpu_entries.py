"""A host's GPUs in the form of `gpus --json`. Pure."""

from collections.abc import Mapping

from xgen_deploy.documents.gpus import GPUEntry, GPUProcessEntry, MIGEntry
from xgen_deploy.frozen import Frozen
from xgen_deploy.state.cordon import Cordon
from xgen_deploy.state.facts import HostFacts
from xgen_deploy.state.gpu import GPUInfo, GPUProcess, GPUType
from xgen_deploy.state.layout import SECOND
from xgen_deploy.state.record import Record
from xgen_deploy.state.site import Site


class Used(Frozen):
    """A process on a GPU, and the instance that it belongs to, if any."""

    process: GPUProcess
    instance: str | None


def owners(site: Site, name: str, facts: HostFacts) -> dict[str, str]:
    """Part of a control group's name (a unit or a container's ID) -> the instance in it."""
    owners = {
        f"xgen-{site.project}-{d.name}{slot}.service": d.name
        for d in site.on(name)
        for slot in ("", SECOND)
    }
    for container in facts.docker.containers:
        instance = container.labels.get("xgen.instance")
        if instance:
            owners[container.id] = instance
    return owners


def overall_type(gpus: tuple[GPUInfo, ...]) -> str:
    """`cuda`, `rocm` or `cpu`."""
    types = {g.gpu_type for g in gpus}
    if GPUType.NVIDIA in types:
        return "cuda"
    return "rocm" if types & {GPUType.AMD_RDNA, GPUType.AMD_CDNA} else "cpu"


def used_by(gpu: GPUInfo, owners: Mapping[str, str]) -> tuple[Used, ...]:
    """The processes on a GPU. `owners` maps a part of a control group's name (a unit's name or a
    container's ID) to its instance; process names are never trusted for that."""
    return tuple(Used(process=p, instance=_owner(p, owners)) for p in gpu.processes)


def _owner(process: GPUProcess, owners: Mapping[str, str]) -> str | None:
    return next((name for part, name in owners.items() if part in (process.cgroup or "")), None)


def gpu_entry(gpu: GPUInfo, owners: Mapping[str, str], cordon: Cordon | None) -> GPUEntry:
    """One GPU of `gpus --json`."""
    own = ("processes", "cordon", "mig_instances")
    fields = {name: getattr(gpu, name) for name in GPUEntry.model_fields if name not in own}
    parts = tuple(
        MIGEntry(
            uuid=part.identity,
            profile=instance.profile,
            memory_total_mb=part.memory_total_mb,
            memory_used_mb=part.memory_used_mb,
            memory_free_mb=part.memory_free_mb,
            processes=_processes(part, owners),
        )
        for part, instance in zip(gpu.devices, gpu.mig_instances, strict=False)
    )
    processes = _processes(gpu, owners)
    return GPUEntry(**fields, mig_instances=parts, processes=processes, cordon=cordon)


def _processes(gpu: GPUInfo, owners: Mapping[str, str]) -> tuple[GPUProcessEntry, ...]:
    return tuple(
        GPUProcessEntry(
            pid=u.process.pid,
            name=u.process.name,
            user=u.process.user,
            memory_mb=u.process.memory_mb,
            instance=u.instance,
        )
        for u in used_by(gpu, owners)
    )


def cordon_on(gpu: GPUInfo, record: Record | None) -> Cordon | None:
    """The one that the card is under."""
    cordons = record.cordons if record is not None else ()
    return next((c for c in cordons if c.covers(gpu.names)), None)
