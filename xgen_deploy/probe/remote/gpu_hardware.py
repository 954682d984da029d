"""Which vendors' GPUs a host has in it, whether or not anything can talk to them."""

from __future__ import annotations

import glob
import sys

from xgen_deploy.probe.remote.pci import pci_gpus

AMD, NVIDIA = 0x1002, 0x10DE
VENDORS = {"amd": AMD, "nvidia": NVIDIA}
REBOOT = "the driver was upgraded and the old one is still loaded: reboot the host"
DEVICE_FILES = {"amd": "dev/kfd", "nvidia": "dev/nvidia[0-9]*"}


def expected(vendor: str, root: str = "/") -> bool:
    """Whether a detector of this vendor that finds nothing is a surprise."""
    if vendor == "apple":
        return sys.platform == "darwin"
    if vendor == "software":
        return True  # looked for only where the inventory says that they count
    if vendor not in VENDORS:
        return False
    return bool(pci_gpus(VENDORS[vendor], root) or glob.glob(root + DEVICE_FILES[vendor]))
