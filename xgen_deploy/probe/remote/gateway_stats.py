"""What the gateway on this host says of its servers, from its runtime socket, and its processes."""

from __future__ import annotations

import os
import socket
from typing import Any

PATIENCE = 3.0
MOST = 16 << 20
CGROUPS = "/sys/fs/cgroup/system.slice"
LONGEST = 1 << 16


def gateway_stats(path: str) -> dict[str, Any]:
    """`show stat` as it comes; None where no gateway answers there. Processes are counted in its
    unit, whose name is that of the socket's folder.
    """
    count = _processes(os.path.basename(os.path.dirname(path)))
    try:
        return {"gateway_stats": _ask(path, b"show stat\n"), "gateway_processes": count}
    except OSError:
        return {"gateway_stats": None, "gateway_processes": count}


def _processes(service: str) -> int | None:
    """None where its control group cannot be read."""
    try:
        with open(f"{CGROUPS}/{service}.service/cgroup.procs") as file:
            return len(file.read(LONGEST).split())
    except OSError:
        return None


def _ask(path: str, command: bytes) -> str:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as talk:
        talk.settimeout(PATIENCE)
        talk.connect(path)
        talk.sendall(command)
        parts: list[bytes] = []
        while True:
            part = talk.recv(65536)
            if not part:
                return b"".join(parts).decode("utf-8", "replace")
            parts.append(part)
            if sum(map(len, parts)) > MOST:
                raise OSError("it answers without end")
