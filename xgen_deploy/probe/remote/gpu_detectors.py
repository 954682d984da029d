"""The detectors, best first. A further one is one module and one entry here."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Callable, Collection, NamedTuple

from xgen_deploy.probe.remote.gpu_found import Found
from xgen_deploy.probe.remote.gpu_tools import (
    no_amd_driver,
    no_amdsmi,
    no_card,
    no_nvidia_driver,
    no_stranger,
    no_tool,
)

PACKAGE = "xgen_deploy.probe.remote."
Absent = Callable[[Collection[str]], "str | None"]


def late(module: str, function: str) -> Callable[[], Found]:
    """Loaded when it is asked: a host compiles what it loads, at every run."""

    def ask() -> Found:
        finds: Found = getattr(import_module(PACKAGE + module), function)()
        return finds

    return ask


class Detector(NamedTuple):
    """`absent` says cheaply why there is nothing to ask, or is None; it is given the vendors whose
    GPUs were found before. `detect` raises NotHere, or
    anything else, with the reason. `patience` is in seconds."""

    name: str
    vendor: str
    patience: float
    detect: Callable[[], Found]
    absent: Absent = lambda _: None


def _tool(name: str, vendor: str, patience: float, detect: Callable[[], Found]) -> Detector:
    return Detector(name, vendor, patience, detect, lambda _: no_tool(name))


def _torch(name: str, vendor: str, function: str) -> Detector:
    return Detector(name, vendor, 9, late("gpu_torch", function), lambda _: no_card(vendor))


def _no_vulkan(vendors: Collection[str]) -> str | None:
    return no_tool("vulkaninfo") or (no_stranger(vendors) if vendors else None)


_EVERYWHERE = (
    Detector("amdsmi", "amd", 6, late("gpu_amdsmi", "amd_by_amdsmi"), lambda _: no_amdsmi()),
    Detector("pynvml", "nvidia", 10, late("gpu_nvml", "nvidia_by_nvml")),
    _torch("torch.rocm", "amd", "amd_by_torch"),
    _torch("torch.cuda", "nvidia", "nvidia_by_torch"),
    _tool("amd-smi", "amd", 8, late("gpu_amd_smi", "amd_by_amd_smi")),
    _tool("rocm-smi", "amd", 6, late("gpu_rocm_smi", "amd_by_rocm_smi")),
    _tool("nvidia-smi", "nvidia", 8, late("gpu_nvidia_smi", "nvidia_by_smi")),
    Detector("sysfs", "amd", 2, late("gpu_amd_sysfs", "amd_by_sysfs"), lambda _: no_amd_driver()),
    Detector(
        "sysfs",
        "nvidia",
        2,
        late("gpu_nvidia_proc", "nvidia_by_proc"),
        lambda _: no_nvidia_driver(),
    ),
    Detector("vulkan", "other", 4, late("gpu_vulkan", "others_by_vulkan"), _no_vulkan),
)
_APPLE = Detector("system_profiler", "apple", 8, late("gpu_apple", "apple_by_profiler"))
DETECTORS = (*_EVERYWHERE, _APPLE) if sys.platform == "darwin" else _EVERYWHERE


def software_detector(count: int) -> Detector:
    """`count` software renderers, where the inventory lets them count as GPUs."""
    from xgen_deploy.probe.remote.gpu_software import software_gpus  # seldom allowed

    return Detector("vulkan", "software", 1, lambda: software_gpus(count))
