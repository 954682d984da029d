"""A host's GPUs in the form of `gpus --json`. Pure."""

from collections.abc import Mapping

from xgen_deploy.frozen import Frozen
from xgen_deploy.state.gpu import GPUInfo, GPUProcess, GPUType


class Used(Frozen):
    """A process on a GPU, and the instance that it belongs to, if any."""

    process: GPUProcess
    instance: str | None


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


def gpu_json(gpu: GPUInfo, owners: Mapping[str, str]) -> dict[str, object]:
    """One GPU of `gpus --json`; unknown is null."""
    fields = (
        "index",
        "gpu_type",
        "device_name",
        "uuid",
        "pci_bus_id",
        "memory_total_mb",
        "memory_used_mb",
        "memory_free_mb",
        "utilization_percent",
        "compute_capability",
        "gfx_version",
        "driver_version",
        "gtt_total_mb",
        "gtt_used_mb",
        "apu",
        "software",
        "mig",
        "hip_uuid",
        "render_node",
        "render_path",
        "note",
    )
    value: dict[str, object] = dict(gpu.model_dump(mode="json", include=set(fields)))
    value["processes"] = [
        {
            "pid": u.process.pid,
            "name": u.process.name,
            "user": u.process.user,
            "memory_mb": u.process.memory_mb,
            "instance": u.instance,
        }
        for u in used_by(gpu, owners)
    ]
    return value
