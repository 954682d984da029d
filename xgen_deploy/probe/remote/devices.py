"""Device files of GPUs, and the groups that may open them."""

from __future__ import annotations

import glob
import grp
import os
from typing import Any

GROUPS = ("video", "render", "docker")
GATED = ("/dev/kfd", "/dev/dri/renderD*")
LISTED = (*GATED, "/dev/dri/by-path/*-render", "/dev/nvidia*")


def devices(root: str = "") -> dict[str, Any]:
    groups = {}
    for name in GROUPS:
        try:
            groups[name] = grp.getgrnam(name).gr_gid
        except KeyError:
            continue
    for path in _found(root, GATED):
        groups[path] = os.stat(root + path).st_gid
    return {"groups": groups, "device_files": _found(root, LISTED)}


def _found(root: str, patterns: tuple[str, ...]) -> list[str]:
    paths = {path[len(root) :] for pattern in patterns for path in glob.glob(root + pattern)}
    return sorted(paths)
