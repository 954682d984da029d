"""GPUs, and the detectors that found them."""

from collections.abc import Iterable
from enum import StrEnum

from pydantic import AliasChoices, Field

from xgen_deploy.frozen import Frozen, replace


class GPUType(StrEnum):
    """The family of a device; AMD's two differ because vLLM supports them differently."""

    NVIDIA = "nvidia"
    AMD_RDNA = "amd_rdna"
    AMD_CDNA = "amd_cdna"
    APPLE_MPS = "apple_mps"
    CPU = "cpu"
    UNKNOWN = "unknown"


class GPUProcess(Frozen):
    """A process that holds memory on a GPU. `memory_mb` is in MiB, None where unknown."""

    pid: int
    name: str | None = None
    user: str | None = None
    memory_mb: int | None = None
    cgroup: str | None = None


class MIGInstance(Frozen):
    """A part of an NVIDIA card with memory and processors of its own; `profile` is `1g.10gb`."""

    uuid: str
    profile: str | None = None
    memory_total_mb: int | None = None
    memory_used_mb: int | None = None
    memory_free_mb: int | None = None
    processes: tuple[GPUProcess, ...] = ()


class GPUInfo(Frozen):
    """One GPU. Memory in MiB; a value that cannot be had is None, never 0.

    `index` is the PCI order on the host; `pci_bus_id` has the kernel's form `0000:41:00.0`;
    `render_node` is `/dev/dri/renderD128`, whose number moves, `render_path` the link under
    `/dev/dri/by-path/` that stays. `hip_uuid` is what ROCR_VISIBLE_DEVICES takes. A card with
    MIG on (`mig_enabled`) is usable by its `mig_instances` alone, whose UUIDs are `mig`; one of
    these as a device of its own has `card`, the identity of the card that it is part of. An `apu`
    shares the host's memory: `memory_*` is its own carve-out, `gtt_*` the host's memory that it may
    map. `temperature_limit_celsius` is where it slows down, `ecc_uncorrected_errors` counts since
    its driver started, `row_remap_failure`: damaged memory could not be replaced. `note` says what
    else a reader should know. `software` marks a software renderer, which counts as a GPU only
    where the inventory allows.
    """

    index: int
    gpu_type: GPUType
    device_name: str | None = None
    uuid: str | None = None
    pci_bus_id: str | None = None
    memory_total_mb: int | None = None
    memory_used_mb: int | None = None
    memory_free_mb: int | None = None
    gtt_total_mb: int | None = None
    gtt_used_mb: int | None = None
    utilization_percent: int | None = None
    temperature_celsius: int | None = None
    temperature_limit_celsius: int | None = None
    power_watts: float | None = None
    thermal_throttled: bool | None = None
    ecc_uncorrected_errors: int | None = None
    row_remap_failure: bool | None = None
    compute_capability: str | None = None
    gfx_version: str | None = None
    driver_version: str | None = None
    render_node: str | None = None
    render_path: str | None = None
    hip_uuid: str | None = None
    mig: tuple[str, ...] = ()
    mig_enabled: bool = False
    mig_instances: tuple[MIGInstance, ...] = ()
    card: str | None = None
    apu: bool = False
    software: bool = False
    note: str | None = None
    processes: tuple[GPUProcess, ...] = ()

    @property
    def identity(self) -> str:
        """The device's name across boots: its UUID, else its PCI address."""
        return self.uuid or self.pci_bus_id or f"index:{self.index}"

    @property
    def names(self) -> frozenset[str]:
        """Everything that it may have been known by when it was recorded: a better detector
        tells a UUID where an earlier one knew the PCI address alone. A card's MIG instances are
        parts of it, and none of them is the card.
        """
        if self.card is not None:
            return frozenset((self.identity,))
        return frozenset(n for n in (self.uuid, self.pci_bus_id, self.identity, *self.mig) if n)

    @property
    def given_mb(self) -> int | None:
        """What programs are given of its memory in all. NVIDIA's driver keeps a part (480 MiB of an
        H100), which it counts as neither used nor free."""
        total, used, free = self.memory_total_mb, self.memory_used_mb, self.memory_free_mb
        if self.gpu_type is not GPUType.NVIDIA or not total or used is None or free is None:
            return total
        return min(total, used + free)

    @property
    def label(self) -> str:
        """As a manifest names it: its index, of a MIG instance its UUID."""
        return str(self.index) if self.card is None else self.identity

    @property
    def devices(self) -> "tuple[GPUInfo, ...]":
        """What an engine can be given of it: itself, or its MIG instances and not itself."""
        if not self.mig_enabled:
            return (self,)
        return tuple(self._part(instance) for instance in self.mig_instances)

    def _part(self, instance: MIGInstance) -> "GPUInfo":
        name = f"{self.device_name or self.gpu_type} MIG {instance.profile or ''}".strip()
        return replace(
            self,
            uuid=instance.uuid,
            device_name=name,
            memory_total_mb=instance.memory_total_mb,
            memory_used_mb=instance.memory_used_mb,
            memory_free_mb=instance.memory_free_mb,
            utilization_percent=None,
            mig=(),
            mig_enabled=False,
            mig_instances=(),
            card=self.identity,
            processes=instance.processes,
        )

    def known_as(self, recorded: Iterable[str]) -> str:
        """The name that it was recorded by, so that it stays the same card; else its identity."""
        return next((n for n in recorded if n in self.names), self.identity)


class Attempt(Frozen):
    """One detector's try: whether it answered, and if not, why.

    `expected_absent`: there was nothing to detect, because neither its tool nor such a card is
    there. The probe's document and `gpus --json` call that `moot`.
    """

    detector: str
    ok: bool
    reason: str | None = None
    expected_absent: bool = Field(
        default=False,
        validation_alias=AliasChoices("expected_absent", "moot"),
        serialization_alias="moot",
    )


class GPUDetectionResult(Frozen):
    """All GPUs of a host in PCI order, the method that found them, and every try."""

    gpus: tuple[GPUInfo, ...] = ()
    detection_method: str = "cpu_fallback"
    attempts: tuple[Attempt, ...] = ()

    @property
    def available(self) -> bool:
        return bool(self.gpus)

    @property
    def devices(self) -> tuple[GPUInfo, ...]:
        """What engines can be given: cards, and the MIG instances of those that have MIG on."""
        return tuple(device for gpu in self.gpus for device in gpu.devices)

    @property
    def primary_gpu(self) -> GPUInfo | None:
        """The GPU with the most memory; the first of equals."""
        if not self.gpus:
            return None
        return max(self.gpus, key=lambda g: (g.memory_total_mb or 0, -g.index))
