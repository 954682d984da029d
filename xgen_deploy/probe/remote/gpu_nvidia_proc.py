"""NVIDIA GPUs from the driver's files alone: no library, no tool, no memory sizes."""

from __future__ import annotations

import glob
import os
import re
from typing import Any

from xgen_deploy.probe.remote.gpu_found import Found, NotHere, pci_address
from xgen_deploy.probe.remote.gpu_hardware import NVIDIA
from xgen_deploy.probe.remote.pci import pci_gpus
from xgen_deploy.probe.remote.reading import read_pairs, read_text

FOLDER = "proc/driver/nvidia"
_VERSION = re.compile(r"Kernel Module\D*(?:x86_64|aarch64)?\s+(\d+\.\d+(?:\.\d+)?)")


def nvidia_by_proc(root: str = "/") -> Found:
    """Raises NotHere where the driver is not loaded."""
    version = read_text(os.path.join(root, FOLDER, "version"))
    if version is None:
        cards = pci_gpus(NVIDIA, root)
        cards_text = f", although there are cards: {', '.join(cards)}" if cards else ""
        raise NotHere("the NVIDIA driver is not loaded" + cards_text)
    release = _VERSION.search(version)
    driver = release[1] if release else None
    gpus: list[dict[str, Any]] = []
    for folder in sorted(glob.glob(os.path.join(root, FOLDER, "gpus/*"))):
        seen = read_pairs(folder + "/information", ":")
        uuid = seen.get("GPU UUID", "")
        gpus.append(
            {
                "index": len(gpus),
                "gpu_type": "nvidia",
                "device_name": seen.get("Model") or None,
                "uuid": uuid if uuid.startswith("GPU-") and "?" not in uuid else None,
                "pci_bus_id": pci_address(seen.get("Bus Location") or os.path.basename(folder)),
                "driver_version": driver,
            }
        )
    return Found(gpus, [])
