"""What the Docker daemon tells at length. It runs three programs of its own to answer, so that it
is asked only where this matters."""

from __future__ import annotations

import os
from typing import Any

from xgen_deploy.probe.remote.cdi import cdi_devices
from xgen_deploy.probe.remote.docker_facts import PATIENCE, SOCKET
from xgen_deploy.probe.remote.unix_http import request


def docker_info(nvidia: bool, socket: str = SOCKET) -> dict[str, Any]:
    """What to put over the facts of a daemon that was usable before; of the ways to give `nvidia`
    GPUs to containers only where there are some."""
    try:
        info = request(socket, "GET", "/info", PATIENCE)
    except (OSError, ValueError) as error:
        return {"state": "down", "reason": f"{socket} does not answer: {error}"}
    if info.status != 200 or not isinstance(info.value, dict):
        return {"state": "down", "reason": f"the Docker daemon says: {info.complaint}"}
    options = [str(option) for option in info.value.get("SecurityOptions") or ()]
    if "name=rootless" in options:
        return {"state": "rootless", "reason": f"the daemon behind {socket} says so"}
    told: dict[str, Any] = {"userns": "name=userns" in options, "store": _store(info.value)}
    root = info.value.get("DockerRootDir")
    if isinstance(root, str):
        told["root"] = _room(root)
    if nvidia:
        told["runtimes"] = sorted(info.value.get("Runtimes") or ())
        told["cdi_devices"] = cdi_devices(info.value)
    return told


def _store(info: dict[str, Any]) -> str:
    """How it keeps images: an image's ID is another one on each."""
    status = [str(word) for pair in info.get("DriverStatus") or () for word in pair]
    return "containerd" if any("containerd.snapshotter" in word for word in status) else "classic"


def _room(root: str) -> dict[str, Any] | None:
    try:
        room = os.statvfs(root)
    except OSError:
        return None
    return {
        "path": root,
        "exists": True,
        "free": room.f_bavail * room.f_frsize,
        "total": room.f_blocks * room.f_frsize,
    }
