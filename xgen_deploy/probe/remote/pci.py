"""Graphics cards on the PCI bus, whether or not a driver has them."""

from __future__ import annotations

import glob
import os

from xgen_deploy.probe.remote.reading import read_int

DISPLAY = 0x03


def pci_gpus(vendor: int, root: str = "/") -> list[str]:
    """Addresses in order. A board's management graphics have another vendor."""
    found = []
    for folder in sorted(glob.glob(os.path.join(root, "sys/bus/pci/devices/*"))):
        if read_int(folder + "/vendor") != vendor:
            continue
        if (read_int(folder + "/class") or 0) >> 16 == DISPLAY:
            found.append(os.path.basename(folder))
    return found
