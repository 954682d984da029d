"""Graphics cards on the PCI bus, whether or not a driver has them."""

from __future__ import annotations

import glob
import os
from functools import lru_cache

from xgen_deploy.probe.remote.reading import read_int

DEVICES = "sys/bus/pci/devices"
# Display controllers, and the processing accelerators as which AMD's server cards appear.
CLASSES = (0x03, 0x12)


def pci_gpus(vendor: int, root: str = "/") -> list[str]:
    """Addresses in order. A board's management graphics have another vendor."""
    return [address for address, maker in _cards(root) if maker == vendor]


@lru_cache(maxsize=1)
def _cards(root: str) -> tuple[tuple[str, int | None], ...]:
    """Read once: a server has hundreds of devices, and most detectors want to know."""
    return tuple(
        (os.path.basename(folder), read_int(folder + "/vendor"))
        for folder in sorted(glob.glob(os.path.join(root, DEVICES, "*")))
        if (read_int(folder + "/class") or 0) >> 16 in CLASSES
    )


def pci_folder(address: str, root: str = "/") -> str:
    """Where the kernel tells of a device."""
    return os.path.join(root, DEVICES, address)
