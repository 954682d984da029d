"""Graphics cards on the PCI bus, whether or not a driver has them."""

from __future__ import annotations

import glob
import os
from functools import lru_cache

from xgen_deploy.probe.remote.reading import read_int

DEVICES = "sys/bus/pci/devices"
# Display controllers, and the processing accelerators as which AMD's server cards appear.
CLASSES = (0x03, 0x12)
# ASPEED, Matrox, Cirrus, QEMU (three), VMware, VirtualBox, Hyper-V.
SCREENS = {0x1A03, 0x102B, 0x1013, 0x1234, 0x1AF4, 0x1B36, 0x15AD, 0x80EE, 0x1414}


def pci_gpus(vendor: int, root: str = "/") -> list[str]:
    """Addresses in order. A board's management graphics have another vendor."""
    return [address for address, maker in _cards(root) if maker == vendor]


def pci_vendors(root: str = "/") -> set[int]:
    """Whose cards there are, without what only shows the screens of servers and guests."""
    return {maker for _, maker in _cards(root) if maker is not None} - SCREENS


@lru_cache(maxsize=1)
def _cards(root: str) -> tuple[tuple[str, int | None], ...]:
    """Read once: a server has hundreds of devices, and most detectors want to know."""
    return tuple(
        (os.path.basename(folder), read_int(folder + "/vendor"))
        for folder in sorted(glob.glob(os.path.join(root, DEVICES, "*")))
        if (read_int(folder + "/class") or 0) >> 16 in CLASSES
    )


def forget_cards() -> None:
    """For a program that runs long: cards fall off the bus."""
    _cards.cache_clear()


def pci_folder(address: str, root: str = "/") -> str:
    """Where the kernel tells of a device."""
    return os.path.join(root, DEVICES, address)
