"""Software Vulkan devices, which count as GPUs only where the inventory says so."""

from __future__ import annotations

import glob

from xgen_deploy.probe.remote.gpu_found import Found, NotHere

FOLDERS = ("/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d", "/usr/local/share/vulkan/icd.d")


def software_gpus(count: int, folders: tuple[str, ...] = FOLDERS) -> Found:
    """`count` of them where Mesa's software driver is installed; raises NotHere elsewhere."""
    drivers = [path for folder in folders for path in glob.glob(folder + "/lvp_icd*.json")]
    if not drivers:
        raise NotHere("no software Vulkan driver: no lvp_icd*.json in " + ", ".join(folders))
    return Found([_device(index) for index in range(count)], [])


def _device(index: int) -> dict[str, object]:
    return {
        "index": index,
        "gpu_type": "unknown",
        "device_name": "software Vulkan device (llvmpipe)",
        "uuid": f"software-{index}",
        "software": True,
    }
