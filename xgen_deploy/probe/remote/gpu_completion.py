"""What the kernel knows of a GPU, where its detector could not tell."""

from __future__ import annotations

from typing import Any

from xgen_deploy.probe.remote.amd_names import APUS, family
from xgen_deploy.probe.remote.drm import render_node, render_path
from xgen_deploy.probe.remote.gpu_amd_sysfs import amd_card
from xgen_deploy.probe.remote.kfd import kfd_nodes
from xgen_deploy.probe.remote.pci import pci_folder


def completed(gpu: dict[str, Any], vendor: str, root: str = "/") -> dict[str, Any]:
    """The same GPU with what was missing; nothing that a detector said is changed."""
    address = gpu.get("pci_bus_id")
    known: dict[str, Any] = {}
    if address:
        folder = pci_folder(address, root)
        if vendor == "amd":
            known = amd_card(root, folder, {node.minor: node for node in kfd_nodes(root)})
        known["render_node"] = render_node(folder)
        known["render_path"] = render_path(address, root)
    whole = dict(gpu)
    for key, value in known.items():
        if whole.get(key) is None or whole[key] is False or whole[key] == []:
            whole[key] = value  # but a nought is an answer
    if vendor == "amd":
        gfx = whole.get("gfx_version")
        whole["gpu_type"] = family(gfx)
        whole["apu"] = bool(whole.get("apu")) or gfx in APUS
    return whole
