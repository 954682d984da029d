"""Units and containers that were started by hand and are to be taken over, by their names."""

from __future__ import annotations

from typing import Any

from xgen_deploy.probe.remote.commands import run
from xgen_deploy.probe.remote.docker_facts import SOCKET, published
from xgen_deploy.probe.remote.unix_http import quote, request

PATIENCE = 8.0
PROPERTIES = "Id,LoadState,ActiveState,UnitFileState"


def adoptable(
    unit_names: list[str], container_names: list[str], socket: str = SOCKET
) -> dict[str, Any]:
    """Those that there are. Raises RuntimeError where systemd does not answer."""
    known = _units(unit_names) if unit_names else []
    known += [c for c in (_container(name, socket) for name in container_names) if c]
    return {"adoptable": known}


def _units(names: list[str]) -> list[dict[str, Any]]:
    argv = ["systemctl", "show", "--no-pager", "--property", PROPERTIES, "--", *names]
    answer = run(argv, PATIENCE)
    if answer.code != 0:
        raise RuntimeError("systemctl: " + answer.complaint)
    found = parse_units(answer.out, names)
    return [dict(unit, at_boot=unit["at_boot"] and _enabled(unit["name"])) for unit in found]


def _enabled(name: str) -> bool:
    """On the disk: systemd shows what it knew before a `disable --no-reload`, as adopting does."""
    answer = run(["systemctl", "is-enabled", "--", name], PATIENCE)
    return answer.out.startswith("enabled")


def parse_units(text: str, names: list[str]) -> list[dict[str, Any]]:
    """One block for each of the names, in their order; an alias shows another Id."""
    found = []
    for name, block in zip(names, text.strip().split("\n\n")):
        seen = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if seen.get("LoadState") == "not-found":
            continue
        found.append(
            {
                "kind": "unit",
                "name": name,
                "running": seen.get("ActiveState") in ("active", "activating", "reloading"),
                "at_boot": seen.get("UnitFileState", "").startswith("enabled"),
                "cgroup": seen.get("Id") or name,
                "vanishes": seen.get("UnitFileState") == "transient",
            }
        )
    return found


def _container(name: str, socket: str) -> dict[str, Any] | None:
    try:
        answer = request(socket, "GET", f"/containers/{quote(name)}/json", PATIENCE)
    except OSError:
        return None  # the part `docker` says why
    if answer.status != 200:
        return None
    seen = answer.value
    config = seen.get("HostConfig", {})
    policy = config.get("RestartPolicy") or {}
    return {
        "kind": "container",
        "name": name,
        "running": bool(seen["State"].get("Running")),
        "at_boot": policy.get("Name") not in (None, "", "no"),
        "cgroup": seen["Id"],
        "ports": published(seen),
        "vanishes": bool(config.get("AutoRemove")),
    }
