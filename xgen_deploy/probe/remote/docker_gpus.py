"""How the Docker daemon can hand out GPUs. It runs three programs of its own to answer, so that it
is asked only where this matters."""

from __future__ import annotations

from typing import Any

from xgen_deploy.probe.remote.cdi import cdi_devices
from xgen_deploy.probe.remote.docker_facts import PATIENCE, SOCKET
from xgen_deploy.probe.remote.unix_http import request


def ways_to_gpus(socket: str = SOCKET) -> dict[str, Any]:
    """What to put over the facts of a daemon that was usable before."""
    try:
        info = request(socket, "GET", "/info", PATIENCE)
    except (OSError, ValueError) as error:
        return {"state": "down", "reason": f"{socket} does not answer: {error}"}
    if info.status != 200 or not isinstance(info.value, dict):
        return {"state": "down", "reason": f"the Docker daemon says: {info.complaint}"}
    runtimes = sorted(info.value.get("Runtimes") or ())
    return {"runtimes": runtimes, "cdi_devices": cdi_devices(info.value)}
