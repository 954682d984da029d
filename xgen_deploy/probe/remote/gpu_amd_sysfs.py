"""AMD GPUs from the kernel's files alone: no tools, no root."""

from __future__ import annotations

import glob
import os
import re
from typing import Any

from xgen_deploy.probe.remote.amd_condition import amd_condition
from xgen_deploy.probe.remote.amd_names import (
    APUS,
    IDS,
    family,
    gfx_from_blocks,
    gfx_name,
    marketing_name,
)
from xgen_deploy.probe.remote.drm import render_node, render_path
from xgen_deploy.probe.remote.gpu_found import Found, NotHere, mebibytes
from xgen_deploy.probe.remote.gpu_hardware import AMD
from xgen_deploy.probe.remote.kfd import KFDNode, gpu_processes, kfd_nodes
from xgen_deploy.probe.remote.reading import read_int, read_pairs, read_text

_CARD = re.compile(r"card\d+$")


def amd_by_sysfs(root: str = "/") -> Found:
    """Raises NotHere where amdgpu drives no card."""
    cards = sorted(glob.glob(os.path.join(root, "sys/class/drm/card*")))
    folders = [os.path.join(card, "device") for card in cards if _CARD.search(card)]
    ours = [folder for folder in folders if read_int(folder + "/vendor") == AMD]
    driven = [f for f in ours if _uevent(f).get("DRIVER") == "amdgpu"]
    if not driven:
        raise NotHere(_why_none(root, len(ours)))
    driven.sort(key=lambda folder: _uevent(folder).get("PCI_SLOT_NAME", ""))
    gpus = [dict(amd_card(root, f), index=index) for index, f in enumerate(driven)]
    return Found(gpus, [])


def _why_none(root: str, cards: int) -> str:
    if cards:
        return f"{cards} AMD cards are there, but the amdgpu driver has none of them"
    if os.path.isdir(os.path.join(root, "sys/module/amdgpu")):
        return "the amdgpu driver is loaded but has no card"
    return "no AMD GPU: the amdgpu driver is not loaded"


def amd_card(root: str, folder: str) -> dict[str, Any]:
    """As in GPUInfo, without an index, from the card's folder in sysfs."""
    render = render_node(folder)
    nodes = kfd_nodes(root) if render else []
    node = next((n for n in nodes if f"/dev/dri/renderD{n.minor}" == render), None)
    address = _uevent(folder).get("PCI_SLOT_NAME")
    gfx = gfx_name(node.gfx_target) if node else None
    gfx = gfx or _gfx_by_discovery(folder)
    unique = _unique_id(folder, node)
    total, used = (read_int(folder + "/mem_info_vram_" + end) for end in ("total", "used"))
    free = None if total is None or used is None else total - used
    return {
        "device_name": _name(root, folder),
        "uuid": unique,
        "hip_uuid": unique,
        "pci_bus_id": address,
        "memory_total_mb": mebibytes(total),
        "memory_used_mb": mebibytes(used),
        "memory_free_mb": mebibytes(free),
        "gtt_total_mb": mebibytes(read_int(folder + "/mem_info_gtt_total")),
        "gtt_used_mb": mebibytes(read_int(folder + "/mem_info_gtt_used")),
        "utilization_percent": read_int(folder + "/gpu_busy_percent"),
        **amd_condition(folder),
        "gfx_version": gfx,
        "driver_version": (read_text(root + "/sys/module/amdgpu/version") or "").strip() or None,
        "render_node": render,
        "render_path": render_path(address, root) if address else None,
        "apu": bool(node and node.cpu_cores),
        "processes": gpu_processes(root, node.gpu_id) if node else [],
    }


def judged(gpu: dict[str, Any]) -> dict[str, Any]:
    """With the family that its gfx version stands for."""
    gfx = gpu.get("gfx_version")
    return dict(gpu, gpu_type=family(gfx), apu=bool(gpu.get("apu")) or gfx in APUS)


def _uevent(folder: str) -> dict[str, str]:
    return read_pairs(folder + "/uevent", "=")


def _gfx_by_discovery(folder: str) -> str | None:
    """Where the compute driver is off (kfd has no node) the card still tells its blocks."""
    block = folder + "/ip_discovery/die/0/GC/0/"
    return gfx_from_blocks(*(read_int(block + name) for name in ("major", "minor", "revision")))


def _unique_id(folder: str, node: KFDNode | None) -> str | None:
    """In the form that ROCm's visibility variables take."""
    text = (read_text(folder + "/unique_id") or "").strip()
    try:
        value = int(text, 16) if text else 0
    except ValueError:
        value = 0
    value = value or (node.unique_id if node else 0)
    return f"GPU-{value:016x}" if value else None


def _name(root: str, folder: str) -> str | None:
    product = (read_text(folder + "/product_name") or "").strip()
    device, revision = read_int(folder + "/device"), read_int(folder + "/revision")
    files = tuple(root.rstrip("/") + path for path in IDS)
    known = product or marketing_name(device, revision, files)
    return known or (f"AMD GPU 0x{device:04x}" if device is not None else None)
