"""NVIDIA GPUs by NVML, through NVIDIA's own bindings, which came along."""

from __future__ import annotations

import ctypes
from typing import Any, Callable

from xgen_deploy.probe.remote.gpu_found import Found, NotHere, mebibytes, pci_address
from xgen_deploy.probe.remote.gpu_hardware import NVIDIA, REBOOT
from xgen_deploy.probe.remote.mig import parted
from xgen_deploy.probe.remote.pci import pci_gpus
from xgen_deploy.probe.remote.processes import gpu_process

LIBRARY = "libnvidia-ml.so.1"
MISMATCH = 18  # NVML_ERROR_LIB_RM_VERSION_MISMATCH
# NVML_TEMPERATURE_GPU, NVML_TEMPERATURE_THRESHOLD_SLOWDOWN, NVML_MEMORY_ERROR_TYPE_UNCORRECTED,
# NVML_VOLATILE_ECC, and the two reasons for slower clocks that are heat (nvml.h).
WHOLE_GPU, SLOWDOWN, UNCORRECTED, SINCE_START, BY_HEAT = 0, 1, 1, 0, 0x20 | 0x40
UNTOLD = "NVML cannot tell its memory; it may share the host's"


def nvidia_by_nvml() -> Found:
    """Raises NotHere without a driver, and the bindings' errors where it does not work."""
    try:
        ctypes.CDLL(LIBRARY)
    except OSError:
        raise NotHere(f"no NVIDIA driver: {LIBRARY} is not there{_cards()}") from None
    import pynvml  # only now: its source is long

    _start(pynvml)
    try:
        driver = _maybe(pynvml.nvmlSystemGetDriverVersion)
        gpus: list[dict[str, Any]] = []
        lost: list[tuple[str, str]] = []
        for index in range(pynvml.nvmlDeviceGetCount()):
            try:
                gpus.append(_gpu(pynvml, index, driver))
            except Exception as error:  # this card is lost, the others may serve
                lost.append((f"GPU {index}", str(error)))
        return Found(gpus, lost)
    finally:
        pynvml.nvmlShutdown()


def _start(nvml: Any) -> None:
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        if error.value == MISMATCH:
            raise RuntimeError(f"{error}: {REBOOT}") from None
        raise


def _cards() -> str:
    cards = pci_gpus(NVIDIA)
    return f", although there are NVIDIA cards: {', '.join(cards)}" if cards else ""


def _gpu(nvml: Any, index: int, driver: str | None) -> dict[str, Any]:
    """Each field on its own: what a card cannot tell is None. Raises where the card is lost."""
    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    uuid = nvml.nvmlDeviceGetUUID(handle)
    memory = _memory(nvml, handle)
    rates = _maybe(lambda: nvml.nvmlDeviceGetUtilizationRates(handle))
    capability = _maybe(lambda: nvml.nvmlDeviceGetCudaComputeCapability(handle))
    pci = _maybe(lambda: nvml.nvmlDeviceGetPciInfo(handle))
    return {
        "index": index,
        "gpu_type": "nvidia",
        "device_name": _maybe(lambda: nvml.nvmlDeviceGetName(handle)),
        "uuid": uuid,
        "pci_bus_id": pci_address(pci.busId) if pci else None,
        "memory_total_mb": mebibytes(memory.total) if memory else None,
        "memory_used_mb": mebibytes(memory.used) if memory else None,
        "memory_free_mb": mebibytes(memory.free) if memory else None,
        "utilization_percent": rates.gpu if rates else None,
        "compute_capability": f"{capability[0]}.{capability[1]}" if capability else None,
        "driver_version": driver,
        **_condition(nvml, handle),
        **parted(_mig(nvml, handle)),
        "note": None if memory else UNTOLD,
        "processes": _processes(nvml, handle),
    }


def _memory(nvml: Any, handle: Any) -> Any:
    """Version 2 where there is one: version 1 counts what the driver keeps as used."""
    newer = _maybe(lambda: nvml.nvmlDeviceGetMemoryInfo(handle, version=nvml.nvmlMemory_v2))
    return newer or _maybe(lambda: nvml.nvmlDeviceGetMemoryInfo(handle))


def _condition(nvml: Any, handle: Any) -> dict[str, Any]:
    """How warm it is, what it draws, and whether it or its memory suffers."""
    limit = _maybe(lambda: nvml.nvmlDeviceGetTemperatureThreshold(handle, SLOWDOWN))
    power = _maybe(lambda: nvml.nvmlDeviceGetPowerUsage(handle))
    slowed = _maybe(lambda: nvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle))
    errors = _maybe(lambda: nvml.nvmlDeviceGetTotalEccErrors(handle, UNCORRECTED, SINCE_START))
    rows = _maybe(lambda: nvml.nvmlDeviceGetRemappedRows(handle))
    return {
        "temperature_celsius": _maybe(lambda: nvml.nvmlDeviceGetTemperature(handle, WHOLE_GPU)),
        "temperature_limit_celsius": limit,
        "power_watts": None if power is None else power / 1000,
        "thermal_throttled": None if slowed is None else bool(slowed & BY_HEAT),
        "ecc_uncorrected_errors": errors,
        "row_remap_failure": None if rows is None else bool(rows[3]),
    }


def _mig(nvml: Any, handle: Any) -> list[dict[str, Any]] | None:
    """The card's MIG instances; None where MIG is off."""
    mode = _maybe(lambda: nvml.nvmlDeviceGetMigMode(handle))
    if not mode or not mode[0]:
        return None
    parts = []
    for slot in range(_maybe(lambda: nvml.nvmlDeviceGetMaxMigDeviceCount(handle)) or 0):
        part = _maybe(lambda: nvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, slot))  # noqa: B023
        uuid = _maybe(lambda: nvml.nvmlDeviceGetUUID(part)) if part else None  # noqa: B023
        if uuid:
            parts.append(_part(nvml, part, uuid))
    return parts


def _part(nvml: Any, part: Any, uuid: str) -> dict[str, Any]:
    """Its name ends in the profile: `NVIDIA H100 80GB HBM3 MIG 1g.10gb`."""
    memory = _memory(nvml, part)
    name = _maybe(lambda: nvml.nvmlDeviceGetName(part)) or ""
    return {
        "uuid": uuid,
        "profile": name.rpartition(" MIG ")[2] if " MIG " in name else None,
        "memory_total_mb": mebibytes(memory.total) if memory else None,
        "memory_used_mb": mebibytes(memory.used) if memory else None,
        "memory_free_mb": mebibytes(memory.free) if memory else None,
        "processes": _processes(nvml, part),
    }


def _processes(nvml: Any, handle: Any) -> list[dict[str, Any]]:
    running = _maybe(lambda: nvml.nvmlDeviceGetComputeRunningProcesses(handle))
    return [gpu_process(process.pid, mebibytes(process.usedGpuMemory)) for process in running or ()]


def _maybe(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except Exception:  # not supported, no permission, or a symbol that this driver lacks
        return None
