"""GPUs of other vendors, as Vulkan drivers show them."""

from __future__ import annotations

import glob
import os
import re
from typing import Any

from xgen_deploy.probe.remote.commands import run
from xgen_deploy.probe.remote.gpu_found import Found, NotHere
from xgen_deploy.probe.remote.gpu_hardware import AMD, NVIDIA
from xgen_deploy.probe.remote.gpu_tools import gpu_tool
from xgen_deploy.probe.remote.pci import DEVICES
from xgen_deploy.probe.remote.reading import read_int

PATIENCE = 3.5
VENDORS = {AMD: "amd", NVIDIA: "nvidia"}
_DEVICE = re.compile(r"^GPU\d+:\s*$", re.MULTILINE)
_VALUE = re.compile(r"^\s+(\w+)\s*=\s*(.+?)\s*$", re.MULTILINE)
_SOFTWARE = re.compile(r"llvmpipe|lavapipe|swiftshader", re.IGNORECASE)


def others_by_vulkan() -> Found:
    """Raises NotHere without a GPU in its answer, RuntimeError if it fails."""
    answer = run([gpu_tool("vulkaninfo") or "vulkaninfo", "--summary"], PATIENCE)
    if answer.code != 0:
        raise RuntimeError("vulkaninfo: " + answer.complaint)
    return read_summary(answer.out)


def read_summary(output: str, root: str = "/") -> Found:
    """A card that two drivers show counts once. Raises NotHere where there is no real GPU."""
    devices = [dict(_VALUE.findall(part)) for part in _DEVICE.split(output)[1:]]
    real = [device for device in devices if not _is_software(device)]
    ours = {device.get("deviceUUID", str(i)): device for i, device in enumerate(real)}.values()
    if not ours and devices:
        names = ", ".join(device.get("deviceName", "?") for device in devices)
        raise NotHere(f"software renderers only, which are no GPUs: {names}")
    vendors = tuple(VENDORS.get(_id(device), "other") for device in ours)
    return Found([_gpu(i, device, root) for i, device in enumerate(ours)], [], vendors)


def _is_software(device: dict[str, str]) -> bool:
    names = device.get("deviceName", "") + device.get("driverName", "")
    return device.get("deviceType", "").endswith("_CPU") or bool(_SOFTWARE.search(names))


def _id(device: dict[str, str], field: str = "vendorID") -> int:
    try:
        return int(device.get(field, "0"), 0)
    except ValueError:
        return 0


def _gpu(index: int, device: dict[str, str], root: str) -> dict[str, Any]:
    return {
        "index": index,
        "gpu_type": "unknown",
        "device_name": device.get("deviceName"),
        "uuid": device.get("deviceUUID"),
        "pci_bus_id": _address(_id(device), _id(device, "deviceID"), root),
        "driver_version": device.get("driverInfo") or device.get("driverVersion"),
        "apu": device.get("deviceType", "").endswith("_INTEGRATED_GPU"),
    }


def _address(vendor: int, device: int, root: str) -> str | None:
    """The card's place, where there is just one of its kind."""
    places = [
        os.path.basename(folder)
        for folder in glob.glob(os.path.join(root, DEVICES, "*"))
        if read_int(folder + "/vendor") == vendor and read_int(folder + "/device") == device
    ]
    return places[0] if len(places) == 1 else None
