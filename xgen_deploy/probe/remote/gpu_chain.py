"""The detector chain: for each vendor the first detector that answers; the CPU never fails."""

from __future__ import annotations

from typing import Any, Callable, NamedTuple

from xgen_deploy.probe.remote.gpu_amd_sysfs import amd_by_sysfs
from xgen_deploy.probe.remote.gpu_found import Found, NotHere
from xgen_deploy.probe.remote.gpu_nvidia_smi import nvidia_by_smi
from xgen_deploy.probe.remote.gpu_nvml import nvidia_by_nvml
from xgen_deploy.probe.remote.gpu_software import software_gpus


class Detector(NamedTuple):
    """`detect` raises NotHere, or anything else, with the reason."""

    name: str
    detect: Callable[[], Found]


# A further detector is one module and one line here, at its place in its vendor's order.
CHAINS = (
    (Detector("pynvml", nvidia_by_nvml), Detector("nvidia-smi", nvidia_by_smi)),
    (Detector("sysfs", amd_by_sysfs),),
)


def detect(software: int = 0, chains: tuple[tuple[Detector, ...], ...] = CHAINS) -> dict[str, Any]:
    """As in GPUDetectionResult. `software` renderers are counted where no GPU is found."""
    attempts: list[dict[str, Any]] = []
    methods: list[str] = []
    vendors: list[list[dict[str, Any]]] = []
    if software:
        chains = (*chains, (Detector("vulkan", lambda: software_gpus(software)),))
    for chain in chains:
        for detector in chain:
            gpus = _attempt(detector, attempts)
            if gpus:
                methods.append(detector.name)
                vendors.append(gpus)
            if gpus is not None:
                break
    if not methods:
        attempts.append({"detector": "cpu_fallback", "ok": True})
    return {
        "gpus": _in_order(vendors),
        "detection_method": "+".join(methods) or "cpu_fallback",
        "attempts": attempts,
    }


def _attempt(detector: Detector, attempts: list[dict[str, Any]]) -> list[dict[str, Any]] | None:
    """None where another detector should be tried."""
    try:
        found = detector.detect()
    except NotHere as error:
        attempts.append({"detector": detector.name, "ok": False, "reason": str(error)})
        return None
    except BaseException as error:  # a library may raise anything, even SystemExit
        reason = f"{type(error).__name__}: {error}"
        attempts.append({"detector": detector.name, "ok": False, "reason": reason})
        return None
    attempts.append({"detector": detector.name, "ok": True})
    for which, why in found.lost:
        name = f"{detector.name}:{which}"
        attempts.append({"detector": name, "ok": False, "reason": why})
    return found.gpus


def _in_order(vendors: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """One vendor keeps its own numbers, so that a lost GPU renumbers none; several are
    counted through in PCI order, software last."""
    if len(vendors) == 1:
        return vendors[0]
    gpus = [gpu for vendor in vendors for gpu in vendor]
    gpus.sort(key=lambda gpu: (gpu.get("pci_bus_id") or "~", gpu["index"]))
    return [dict(gpu, index=index) for index, gpu in enumerate(gpus)]
