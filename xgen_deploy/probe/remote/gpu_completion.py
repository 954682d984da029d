"""What the kernel knows of a GPU, where its detector could not tell."""

from __future__ import annotations

from typing import Any

from xgen_deploy.probe.remote.amd_names import APUS, family
from xgen_deploy.probe.remote.drm import render_node, render_path
from xgen_deploy.probe.remote.gpu_amd_sysfs import amd_card
from xgen_deploy.probe.remote.kfd import kfd_nodes
from xgen_deploy.probe.remote.pci import pci_folder

SHARED = "its memory cannot be told: it shares the host's"


def completed(gpu: dict[str, Any], root: str = "/") -> dict[str, Any]:
    """The same GPU with what was missing; nothing that a detector said is changed."""
    address = gpu.get("pci_bus_id")
    known: dict[str, Any] = {}
    if address:
        folder = pci_folder(address, root)
        known = {"render_node": render_node(folder), "render_path": render_path(address, root)}
        if str(gpu["gpu_type"]).startswith("amd") or gpu.get("vendor") == "amd":
            nodes = {node.minor: node for node in kfd_nodes(root)}
            known = {**amd_card(root, folder, nodes), **known}
    whole = {key: value for key, value in gpu.items() if key != "vendor"}
    for key, value in known.items():
        if whole.get(key) in (None, [], "unknown"):
            whole[key] = value
    return _judged(whole) if gpu.get("vendor") == "amd" else whole


def _judged(gpu: dict[str, Any]) -> dict[str, Any]:
    gfx = gpu.get("gfx_version")
    return dict(gpu, gpu_type=family(gfx), apu=bool(gpu.get("apu")) or gfx in APUS)
