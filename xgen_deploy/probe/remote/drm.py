"""The kernel's render nodes: what a process needs to open to use a GPU."""

from __future__ import annotations

import glob
import os


def render_node(folder: str) -> str | None:
    """`/dev/dri/renderD128`, from a device's folder in sysfs."""
    nodes = sorted(glob.glob(folder + "/drm/renderD*"))
    return "/dev/dri/" + os.path.basename(nodes[0]) if nodes else None


def render_path(address: str, root: str = "/") -> str | None:
    """The link to the node that keeps its name from boot to boot."""
    path = f"/dev/dri/by-path/pci-{address}-render"
    return path if os.path.lexists(root.rstrip("/") + path) else None
