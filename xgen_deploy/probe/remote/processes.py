"""What /proc tells of a process."""

from __future__ import annotations

import os
import re
from typing import Any

from xgen_deploy.probe.remote.machine import login_name
from xgen_deploy.probe.remote.reading import read_text

_UNIT = re.compile(r"([^/]+\.(?:service|scope))(?:/|$)")


def process_name(pid: int) -> str | None:
    return (read_text(f"/proc/{pid}/comm") or "").strip() or None


def process_cgroup(pid: int) -> str | None:
    """The path in systemd's hierarchy, or in the unified one."""
    paths = {}
    for line in (read_text(f"/proc/{pid}/cgroup") or "").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        paths[controllers or number] = path
    return paths.get("name=systemd") or paths.get("0")


def process_unit(pid: int) -> str | None:
    """The innermost systemd service or scope that a process belongs to."""
    units: list[str] = _UNIT.findall(process_cgroup(pid) or "")
    return units[-1] if units else None


def process_user(pid: int) -> str | None:
    try:
        uid = os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return None
    return login_name(uid) or str(uid)


def gpu_process(pid: int, memory_mb: int | None) -> dict[str, Any]:
    """A process that holds GPU memory, as the document has it."""
    return {
        "pid": pid,
        "name": process_name(pid),
        "user": process_user(pid),
        "memory_mb": memory_mb,
        "cgroup": process_cgroup(pid),
    }
