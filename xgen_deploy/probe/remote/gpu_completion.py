"""What the kernel knows of a GPU, where its detector could not tell."""

from __future__ import annotations

from typing import Any

from xgen_deploy.probe.remote.drm import render_node, render_path
from xgen_deploy.probe.remote.pci import pci_folder


def completed(gpu: dict[str, Any], vendor: str, root: str = "/") -> dict[str, Any]:
    """The same GPU with what was missing; nothing that a detector said is changed."""
    address = gpu.get("pci_bus_id")
    known: dict[str, Any] = {}
    if address:
        folder = pci_folder(address, root)
        known = {"render_node": render_node(folder), "render_path": render_path(address, root)}
    if vendor != "amd":
        return _filled(gpu, known)
    from xgen_deploy.probe.remote.gpu_amd_sysfs import amd_card, judged  # where AMD is

    if address:
        known.update(amd_card(root, pci_folder(address, root)))
    return judged(_filled(gpu, known))


def _filled(gpu: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    whole = dict(gpu)
    for key, value in known.items():
        if whole.get(key) is None or whole[key] is False or whole[key] == []:
            whole[key] = value  # but a nought is an answer
    return whole
