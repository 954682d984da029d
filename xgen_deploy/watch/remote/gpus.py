"""The host's GPUs, by the probe's detectors; asked seldom, and never woken for it."""

from __future__ import annotations

import threading
import time
from typing import Any, Iterable

from xgen_deploy.probe.remote.gpu_chain import detect
from xgen_deploy.probe.remote.gpu_detectors import DETECTORS
from xgen_deploy.probe.remote.gpu_hardware import VENDORS
from xgen_deploy.probe.remote.pci import DEVICES, forget_cards, pci_gpus
from xgen_deploy.probe.remote.reading import read_text
from xgen_deploy.watch.remote.samples import Sample, known, sample
from xgen_deploy.watch.remote.sources import Answer

# AMD's library complains of a question a second.
SELDOM = 5.0
# A detector that takes long (a tool that is a program of its own) is asked the less often.
SHARE = 20.0
DEADLINE = 8.0
INTERVAL = 60.0
MIB = 1 << 20
# These load PyTorch, or start a program that opens every device.
COSTLY = ("torch.rocm", "torch.cuda", "vulkan", "system_profiler")
# What a card that sleeps is still known to have.
LASTING = (
    "index",
    "gpu_type",
    "uuid",
    "pci_bus_id",
    "device_name",
    "driver_version",
    "memory_total_mb",
)
CHEAP = tuple(d for d in DETECTORS if d.name not in COSTLY)


class GPUs:
    """`software` renderers count as GPUs; `reserved` is `xgen_reserved_mb`."""

    def __init__(self, software: int, reserved: Any) -> None:
        self._software, self._reserved = software, reserved
        self._lock = threading.Lock()
        self._known: list[dict[str, Any]] = []
        self._asked_at = 0.0
        self._next = 0.0

    def ask(self) -> Answer:
        with self._lock:
            now = time.monotonic()
            if self._asked_at and asleep():
                lasting = [{k: g.get(k) for k in LASTING} for g in self._known]
                return Answer(gpu_samples(lasting, self._reserved))
            if now >= self._next:
                forget_cards()
                self._known = detect(self._software, DEADLINE, CHEAP)["gpus"]
                self._asked_at = time.time()
                self._next = now + max(SELDOM, SHARE * (time.monotonic() - now))
            return Answer(gpu_samples(self._known, self._reserved), None, self._asked_at)

    @property
    def known(self) -> list[dict[str, Any]]:
        """As they were last seen."""
        return self._known


def asleep(root: str = "/") -> bool:
    """Whether every card is in the kernel's runtime suspend: whoever asks one wakes it."""
    cards = [a for vendor in VENDORS.values() for a in pci_gpus(vendor, root)]
    states = [read_text(f"{root}{DEVICES}/{card}/power/runtime_status") for card in cards]
    return bool(states) and all((state or "").strip() == "suspended" for state in states)


def gpu_samples(gpus: Iterable[dict[str, Any]], reserved: Any) -> list[Sample]:
    return [each for gpu in gpus for each in _samples(gpu, reserved)]


def identity(gpu: dict[str, Any]) -> str:
    """As records name it (GPUInfo.identity)."""
    return str(gpu.get("uuid") or gpu.get("pci_bus_id") or f"index:{gpu['index']}")


def names(gpu: dict[str, Any]) -> set[str]:
    own = (gpu.get("uuid"), gpu.get("pci_bus_id"), identity(gpu), *(gpu.get("mig") or ()))
    return {str(name) for name in own if name}


def lost_samples(recorded: Iterable[str], gpus: Iterable[dict[str, Any]]) -> list[Sample]:
    """Of the GPUs that instances use: whether they are still there."""
    there = {name for gpu in gpus for name in names(gpu)}
    return [sample("xgen_gpu_lost", gpu not in there, gpu_uuid=gpu) for gpu in sorted(recorded)]


def _samples(gpu: dict[str, Any], reserved: Any) -> list[Sample]:
    labels = {"gpu_uuid": identity(gpu), "gpu_index": str(gpu["index"])}
    percent = gpu.get("utilization_percent")
    values = {
        "memory_total_bytes": _bytes(gpu.get("memory_total_mb")),
        "memory_used_bytes": _bytes(gpu.get("memory_used_mb")),
        "memory_free_bytes": _bytes(gpu.get("memory_free_mb")),
        "memory_reserved_bytes": _bytes(_reserved(gpu, reserved)),
        "utilization_ratio": None if percent is None else percent / 100,
        "temperature_celsius": gpu.get("temperature_celsius"),
        "temperature_limit_celsius": gpu.get("temperature_limit_celsius"),
        "power_watts": gpu.get("power_watts"),
        "thermal_throttled": gpu.get("thermal_throttled"),
        "ecc_uncorrected_errors_total": gpu.get("ecc_uncorrected_errors"),
        "row_remap_failure": gpu.get("row_remap_failure"),
    }
    told = [s for name, v in values.items() for s in known("xgen_gpu_" + name, v, **labels)]
    return [_info(gpu, labels), *told]


def _info(gpu: dict[str, Any], labels: dict[str, str]) -> Sample:
    about = {
        "gpu_name": gpu.get("device_name") or "",
        "vendor": str(gpu.get("gpu_type") or "").partition("_")[0],
        "driver": gpu.get("driver_version") or "",
    }
    return sample("xgen_gpu_info", 1, **labels, **about)


def _reserved(gpu: dict[str, Any], reserved: Any) -> int | None:
    """By its index, UUID or address, where it is not the same for all."""
    if not isinstance(reserved, dict):
        return reserved if isinstance(reserved, int) else None
    found = (reserved.get(name) for name in (str(gpu["index"]), *sorted(names(gpu))))
    return next((size for size in found if size is not None), None)


def _bytes(mebibytes: int | None) -> int | None:
    return None if mebibytes is None else mebibytes * MIB
