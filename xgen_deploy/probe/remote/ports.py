"""Listening TCP ports, and who holds them."""

from __future__ import annotations

import os
import socket
import struct
from typing import Any, Sequence

from xgen_deploy.probe.remote.processes import process_name, process_unit
from xgen_deploy.probe.remote.reading import read_text
from xgen_deploy.probe.remote.sock_diag import Listener, listeners

LISTEN = "0A"


def ports(asked: Sequence[Sequence[int]], proc: str = "/proc") -> dict[str, Any]:
    """All that listen; who, of the ports in one of the `asked` ranges alone: that takes a look at
    every process's open files."""
    listeners = _listeners(proc)
    inodes = {
        listener.inode for listener in listeners if any(a <= listener.port <= b for a, b in asked)
    }
    owners = _owners(proc, inodes)
    single = {(listener.port, listener.address): listener for listener in sorted(listeners)}
    return {
        "ports": [_port(listener, owners.get(listener.inode)) for listener in single.values()],
        "ephemeral_ports": _ephemeral(proc),
    }


def _port(listener: Listener, pid: int | None) -> dict[str, Any]:
    return {
        "port": listener.port,
        "address": listener.address,
        "pid": pid,
        "process": process_name(pid) if pid else None,
        "unit": process_unit(pid) if pid else None,
    }


def _listeners(proc: str) -> set[Listener]:
    try:
        return listeners() if proc == "/proc" else _listed(proc)
    except OSError:
        return _listed(proc)


def _listed(proc: str) -> set[Listener]:
    listeners = set()
    for table in ("tcp", "tcp6"):
        for line in (read_text(f"{proc}/net/{table}", 1 << 26) or "").splitlines()[1:]:
            fields = line.split()
            if len(fields) > 9 and fields[3] == LISTEN:
                address, _, port = fields[1].partition(":")
                listeners.add(Listener(int(port, 16), _address(address), fields[9]))
    return listeners


def _address(text: str) -> str:
    """The kernel prints an address as 32-bit words in the machine's own byte order."""
    words = [int(text[i : i + 8], 16) for i in range(0, len(text), 8)]
    family = socket.AF_INET if len(words) == 1 else socket.AF_INET6
    return socket.inet_ntop(family, struct.pack(f"={len(words)}I", *words))


def _owners(proc: str, inodes: set[str]) -> dict[str, int]:
    """The youngest process of each socket's, as engines are younger than most; others' sockets
    are visible to root only."""
    inode_of = {f"socket:[{inode}]": inode for inode in inodes}
    owners: dict[str, int] = {}
    for pid in sorted(map(int, filter(str.isdigit, os.listdir(proc))), reverse=True):
        if len(owners) == len(inodes):
            break
        folder = f"{proc}/{pid}/fd"
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        for name in names:
            inode = inode_of.get(_link(f"{folder}/{name}"))
            if inode is not None:
                owners.setdefault(inode, pid)
    return owners


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def _ephemeral(proc: str) -> tuple[int, int] | None:
    fields = (read_text(proc + "/sys/net/ipv4/ip_local_port_range") or "").split()
    return (int(fields[0]), int(fields[1])) if len(fields) == 2 else None
