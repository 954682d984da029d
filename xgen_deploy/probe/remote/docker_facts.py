"""The Docker daemon, and the containers that are this project's."""

from __future__ import annotations

import json
import re
from typing import Any

from xgen_deploy.probe.remote.commands import which
from xgen_deploy.probe.remote.docker_daemon import (
    daemon_unit,
    is_podman,
    rootless_socket,
    snap_cli,
)
from xgen_deploy.probe.remote.iso_time import epoch
from xgen_deploy.probe.remote.unix_http import quote, request

SOCKET = "/var/run/docker.sock"
PATIENCE = 8.0
_VERSION = re.compile(r"\w+/(\S+)")  # as in `Docker/28.2.2 (linux)`


def docker(project: str, socket: str = SOCKET) -> dict[str, Any]:
    """All of DockerFacts but what the daemon tells at length (docker_info.py)."""
    cli = which("docker") or snap_cli()
    if cli and is_podman(cli):
        return _unusable("podman", cli, f"{cli} is Podman's")
    if cli and cli == snap_cli():
        return _unusable("snap", cli, f"{cli} is all that there is")
    try:
        ping = request(socket, "GET", "/_ping", PATIENCE)
    except PermissionError:
        return _unusable("denied", cli, f"this login may not use {socket}")
    except FileNotFoundError:
        rootless = rootless_socket()
        if rootless:
            return _unusable("rootless", cli, f"it listens at {rootless} alone")
        if cli:
            return _unusable("down", cli, f"{cli} is installed but {socket} is not there")
        return _unusable("absent", cli, f"Docker is not installed: there is no {socket}")
    except Exception as error:  # refused, silent, or speaking something else
        return _unusable("down", cli, f"{socket} does not answer: {error}")
    if ping.status != 200:
        return _unusable("down", cli, f"the Docker daemon says: {ping.complaint}")
    if (ping.server or "").startswith("Libpod/"):
        return _unusable("podman", cli, f"Podman answers at {socket}")
    unit = daemon_unit(socket)
    if unit and unit.startswith("snap."):
        return _unusable("snap", cli, f"its unit is {unit}")
    version = _VERSION.match(ping.server or "")
    return {
        "state": "ok",
        "version": version[1] if version else None,
        "cli": cli,
        "unit": unit,
        "containers": _containers(project, socket),
    }


def _unusable(state: str, cli: str | None, reason: str) -> dict[str, Any]:
    return {"state": state, "cli": cli, "reason": reason}


def _containers(project: str, socket: str) -> list[dict[str, Any]]:
    ids: dict[str, None] = {}
    for term in ({"label": ["xgen.project=" + project]}, {"name": [f"^/?xgen-{project}-"]}):
        filters = quote(json.dumps(term))
        listed = request(socket, "GET", "/containers/json?all=1&filters=" + filters, PATIENCE)
        if listed.status != 200:
            raise RuntimeError("the Docker daemon lists no containers: " + listed.complaint)
        ids.update((item["Id"], None) for item in listed.value)
    answers = [
        request(socket, "GET", f"/containers/{container_id}/json", PATIENCE) for container_id in ids
    ]
    return [_container(answer.value) for answer in answers if answer.status == 200]


def _container(seen: dict[str, Any]) -> dict[str, Any]:
    state = seen["State"]
    running = bool(state.get("Running"))
    return {
        "name": seen["Name"].lstrip("/"),
        "id": seen["Id"],
        "image_id": seen["Image"],
        "state": state["Status"],
        "labels": seen["Config"].get("Labels") or {},
        "ports": published(seen),
        "pid": state.get("Pid") or None,
        "exit_code": None if running else state.get("ExitCode"),
        "started_at": epoch(state.get("StartedAt")),
        "restarts": seen.get("RestartCount"),
        "oom_killed": bool(state.get("OOMKilled")),
        "gpu_request": _gpu_request(seen),
    }


def _gpu_request(seen: dict[str, Any]) -> bool:
    """CDI devices are among the requests too, with a driver of that name."""
    requests = seen.get("HostConfig", {}).get("DeviceRequests") or ()
    return any(request.get("Driver") != "cdi" for request in requests)


def published(seen: dict[str, Any]) -> list[int]:
    """Host ports, also those of a stopped container."""
    bindings = seen.get("HostConfig", {}).get("PortBindings") or {}
    ports = {entry.get("HostPort") for entries in bindings.values() for entry in entries or ()}
    return sorted(int(port) for port in ports if port and port.isdigit())
