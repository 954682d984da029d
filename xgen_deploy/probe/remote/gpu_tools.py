"""Which of the detectors have anything to work with, found out before they are loaded.

Each function says why there is nothing, or None where the detector should be asked.
"""

from __future__ import annotations

import glob
import os
import sys
from typing import Container

from xgen_deploy.probe.remote.commands import which
from xgen_deploy.probe.remote.gpu_hardware import VENDORS, expected
from xgen_deploy.probe.remote.pci import pci_vendors

# The newer ROCm puts nothing on PATH.
ROCM_BIN = ("/opt/rocm*/bin/", "/opt/rocm/core-*/bin/")
ROCM = ("/opt/rocm", "/opt/rocm/core-*", "/opt/rocm-*")
SHARE = "/share/amd_smi"


def gpu_tool(name: str) -> str | None:
    """Where one of the vendors' tools is."""
    paths = (path for folder in ROCM_BIN for path in glob.glob(folder + name))
    return which(name) or next(paths, None)


def no_tool(name: str) -> str | None:
    return None if gpu_tool(name) else f"{name} is not installed"


def rocm_tree() -> str | None:
    """The folder of a ROCm that brings amdsmi; of several the newest."""
    stated = os.environ.get("ROCM_PATH")
    for pattern in (stated, *ROCM) if stated else ROCM:
        versions = sorted(glob.glob(pattern + SHARE + "/amdsmi"), key=_version)
        if versions:
            return versions[-1][: -len(SHARE + "/amdsmi")]
    return None


def no_amdsmi() -> str | None:
    if rocm_tree():
        return None
    if not expected("amd"):
        return no_card("amd")
    from importlib.util import find_spec  # costly, and seldom needed

    with_installed_packages()
    return None if find_spec("amdsmi") else "amdsmi is not installed"


def with_installed_packages() -> None:
    """The interpreter is started without them (`-S`): it takes long where there are many."""
    if "site" not in sys.modules:
        import site

        site.main()


def no_card(vendor: str) -> str | None:
    return None if expected(vendor) else "not asked: no such card is on the bus"


def no_stranger(vendors: Container[str]) -> str | None:
    """Where GPUs were found, only a card of a further vendor makes one look on."""
    known = {number for vendor, number in VENDORS.items() if vendor in vendors}
    return "not asked: every card on the bus is known" if known >= pci_vendors() else None


def no_amd_driver() -> str | None:
    loaded = os.path.isdir("/sys/module/amdgpu") or expected("amd")
    return None if loaded else "no AMD GPU: the amdgpu driver is not loaded"


def no_nvidia_driver() -> str | None:
    loaded = os.path.isdir("/proc/driver/nvidia") or expected("nvidia")
    return None if loaded else "no NVIDIA GPU: its driver is not loaded"


def _version(path: str) -> list[int]:
    return [int(part) for part in "".join(c if c.isdigit() else " " for c in path).split()]
