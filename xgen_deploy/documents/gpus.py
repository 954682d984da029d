"""`gpus --json`."""

from collections.abc import Mapping

from xgen_deploy.documents.base import Document
from xgen_deploy.frozen import Frozen
from xgen_deploy.state.cordon import Cordon
from xgen_deploy.state.gpu import Attempt, GPUType


class GPUProcessEntry(Frozen):
    """`instance` is the project's, None for any other process."""

    pid: int
    name: str | None
    user: str | None
    memory_mb: int | None
    instance: str | None


class MIGEntry(Frozen):
    """A part of a card with MIG on; the only way to use that card. Memory in MiB."""

    uuid: str
    profile: str | None
    memory_total_mb: int | None
    memory_used_mb: int | None
    memory_free_mb: int | None
    processes: tuple[GPUProcessEntry, ...]


class GPUEntry(Frozen):
    """Memory in MiB. The fields of state/gpu.py, GPUInfo; `cordon`: it is out of service."""

    index: int
    gpu_type: GPUType
    device_name: str | None
    uuid: str | None
    pci_bus_id: str | None
    memory_total_mb: int | None
    memory_used_mb: int | None
    memory_free_mb: int | None
    utilization_percent: int | None
    temperature_celsius: int | None = None
    temperature_limit_celsius: int | None = None
    power_watts: float | None = None
    thermal_throttled: bool | None = None
    ecc_uncorrected_errors: int | None = None
    row_remap_failure: bool | None = None
    compute_capability: str | None
    gfx_version: str | None
    driver_version: str | None
    gtt_total_mb: int | None
    gtt_used_mb: int | None
    apu: bool
    software: bool
    mig: tuple[str, ...]
    mig_enabled: bool
    mig_instances: tuple[MIGEntry, ...]
    hip_uuid: str | None
    render_node: str | None
    render_path: str | None
    note: str | None
    processes: tuple[GPUProcessEntry, ...]
    cordon: Cordon | None = None


class HostGPUs(Frozen):
    """`not_ready` and `unavailable`: backend -> why it cannot run here. `probe` is `python` or
    `sh`, `facts` what `--fleet` plans on. All but `error` is None for an unreachable host.
    """

    reachable: bool
    error: str | None = None
    available: bool | None = None
    detection_method: str | None = None
    gpu_type: str | None = None
    gpus: tuple[GPUEntry, ...] | None = None
    primary_gpu: GPUEntry | None = None
    available_backends: tuple[str, ...] | None = None
    recommended_backend: str | None = None
    not_ready: Mapping[str, str] | None = None
    unavailable: Mapping[str, str] | None = None
    attempts: tuple[Attempt, ...] | None = None
    probe: str | None = None
    facts: Mapping[str, object] | None = None


class GPUsDocument(Document):
    hosts: Mapping[str, HostGPUs] | None = None
